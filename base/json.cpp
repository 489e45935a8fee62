#include "base/json.h"

#include <algorithm>
#include <ostream>

#include "base/check.h"

namespace laclip {

Json::Json(std::string_view text) : kind_(Kind::string), integer_(0), text_(text) {}

Json::Json(std::initializer_list<Json> list) : kind_(Kind::array), integer_(0) {
  const bool named = std::all_of(list.begin(), list.end(), [](const Json& item) {
    return item.is_array() && item.size() == 2 && item[0].is_string();
  });
  if (!named) {
    elements_ = list;
    return;
  }
  kind_ = Kind::object;
  for (const Json& item : list) (*this)[item[0].text_] = item[1];
}

Json Json::array() {
  Json json;
  json.kind_ = Kind::array;
  return json;
}
Json Json::object() {
  Json json;
  json.kind_ = Kind::object;
  return json;
}

Json::Json(const Json& other) = default;
Json::Json(Json&& other) noexcept = default;
Json& Json::operator=(const Json& other) = default;
Json& Json::operator=(Json&& other) noexcept = default;
Json::~Json() = default;

bool Json::to(bool& value) const {
  value = integer_ != 0;
  return kind_ == Kind::boolean;
}
bool Json::to(int64_t& value) const {
  if (kind_ == Kind::real) {
    if (!(real_ >= -0x1p63 && real_ < 0x1p63) || real_ != double(int64_t(real_))) return false;
    value = int64_t(real_);
    return true;
  }
  value = integer_;
  return kind_ == Kind::integer;
}
bool Json::to(uint64_t& value) const {
  int64_t whole = integer_;
  if (kind_ != Kind::natural && (!to(whole) || whole < 0)) return false;
  value = uint64_t(whole);
  return true;
}
bool Json::to(int32_t& value) const {
  int64_t whole = 0;
  if (!to(whole) || whole < INT32_MIN || whole > INT32_MAX) return false;
  value = int32_t(whole);
  return true;
}
bool Json::to(double& value) const {
  value = kind_ == Kind::real      ? real_
          : kind_ == Kind::natural ? double(uint64_t(integer_))
                                   : double(integer_);
  return is_number();
}
bool Json::to(float& value) const {
  double wide = 0;
  if (!to(wide)) return false;
  value = float(wide);
  return true;
}
bool Json::to(std::string& value) const {
  value = text_;
  return is_string();
}
bool Json::to(Json& value) const {
  value = *this;
  return true;
}

const char* Json::type_name() const {
  switch (kind_) {
    case Kind::null:
      return "null";
    case Kind::boolean:
      return "boolean";
    case Kind::integer:
    case Kind::natural:
    case Kind::real:
      return "number";
    case Kind::string:
      return "string";
    case Kind::array:
      return "array";
    case Kind::object:
      return "object";
  }
  return "";
}

void Json::fail_kind() const {
  throw JsonError(fmt::format("{} of kind {} where another is needed", dump(), type_name()));
}

const Json& Json::at(size_t index) const {
  if (!is_array() || index >= size())
    throw JsonError(fmt::format("{} of {} values has no value {}", type_name(), size(), index));
  return elements_[index];
}
Json& Json::push_back(Json value) {
  if (is_null()) kind_ = Kind::array;
  if (!is_array()) throw JsonError(fmt::format("{} takes no further values", type_name()));
  return elements_.emplace_back(std::move(value));
}

const Json* Json::find(std::string_view name) const {
  const auto found = std::find(names_.begin(), names_.end(), name);
  return found == names_.end() ? nullptr : &elements_[size_t(found - names_.begin())];
}
const Json& Json::at(std::string_view name) const {
  if (!is_object())
    throw JsonError(fmt::format("'{}' of {}; only objects have names", name, type_name()));
  const Json* found = find(name);
  if (!found) throw JsonError(fmt::format("there is no '{}'", name));
  return *found;
}
Json& Json::operator[](std::string_view name) {
  if (is_null()) kind_ = Kind::object;
  if (!is_object())
    throw JsonError(fmt::format("'{}' of {}; only objects have names", name, type_name()));
  if (const Json* found = find(name)) return const_cast<Json&>(*found);
  names_.emplace_back(name);
  return elements_.emplace_back();
}
void Json::update(const Json& object) {
  for (const auto& [name, value] : object.items()) (*this)[name] = value;
}
void Json::erase(std::string_view name) {
  const auto found = std::find(names_.begin(), names_.end(), name);
  if (found == names_.end()) return;
  elements_.erase(elements_.begin() + (found - names_.begin()));
  names_.erase(found);
}

bool operator==(const Json& a, const Json& b) {
  if (a.is_number() && b.is_number()) {
    if (a.kind_ == b.kind_ && !a.is_number_float()) return a.integer_ == b.integer_;
    return a.get<double>() == b.get<double>();
  }
  return a.kind_ == b.kind_ && (a.kind_ != Json::Kind::boolean || a.integer_ == b.integer_) &&
         a.text_ == b.text_ && a.names_ == b.names_ && a.elements_ == b.elements_;
}

std::ostream& operator<<(std::ostream& stream, const Json& json) { return stream << json.dump(); }

Json parse_json(const std::string& text, const std::string& place) {
  try {
    return Json::parse(text);
  } catch (const JsonError& error) {
    fail("{}: not valid JSON: {}", place, error.what());
  }
}

Json read_json(const fs::path& path) { return parse_json(read_text(path), path.string()); }

void detail::fail_json_field(const Json& object, const std::string& name,
                             const std::string& place) {
  if (!object.is_object()) fail("{}: a JSON object is needed, found {}", place, object.type_name());
  if (!object.contains(name)) fail("{}: field '{}' is missing", place, name);
  fail("{}: field '{}' has an unusable value {}", place, name, object[name].dump());
}

}  // namespace laclip
