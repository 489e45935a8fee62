#include "base/json.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <ostream>

#include "base/check.h"

namespace laclip {

Json::Json(std::string_view text) : kind_(Kind::string), integer_(0), text_(text) {}

Json::Json(std::initializer_list<Json> list) : kind_(Kind::array), integer_(0) {
  const bool named = std::all_of(list.begin(), list.end(), [](const Json& item) {
    return item.is_array() && item.size() == 2 && item[0].is_string();
  });
  if (!named) {
    for (const Json& item : list) push_back(item);
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

Json::Json(const Json& other)
    : kind_(other.kind_), integer_(other.integer_), text_(other.text_), names_(other.names_) {
  elements_.reserve(other.size());
  for (const Json& element : other) elements_.push_back(std::make_unique<Json>(element));
  if (other.index_) index_names();
}
Json::Json(Json&& other) noexcept = default;
Json& Json::operator=(Json other) noexcept {
  kind_ = other.kind_;
  integer_ = other.integer_;
  text_.swap(other.text_);
  elements_.swap(other.elements_);
  names_.swap(other.names_);
  index_.swap(other.index_);
  return *this;
}
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
  if (!to(wide) || (std::isfinite(wide) && std::abs(wide) > double(FLT_MAX))) return false;
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

void Json::fail_kind(const std::string& wanted) const {
  throw JsonError(fmt::format("{} where {} is needed", excerpt(), wanted));
}
std::string Json::excerpt() const {
  constexpr size_t kMost = 80;
  std::string text = dump();
  if (text.size() <= kMost) return text;
  size_t end = kMost;
  while (end > 0 && (text[end] & 0xc0) == 0x80) --end;  // not within a character
  return text.substr(0, end) + "…";
}

const Json& Json::at(size_t index) const {
  if (!is_array() || index >= size())
    throw JsonError(fmt::format("{} of {} values has no value {}", type_name(), size(), index));
  return *elements_[index];
}
Json& Json::push_back(Json value) {
  if (is_null()) kind_ = Kind::array;
  if (!is_array()) throw JsonError(fmt::format("{} takes no further values", type_name()));
  return *elements_.emplace_back(std::make_unique<Json>(std::move(value)));
}

// An object of few names is searched; one of many, such as a vocabulary, has an index.
void Json::index_names() {
  constexpr size_t kFew = 32;
  index_.reset();
  if (names_.size() <= kFew) return;
  index_ = std::make_unique<Index>();
  for (size_t i = 0; i < names_.size(); ++i) index_->emplace(names_[i], i);
}
size_t Json::place_of(std::string_view name) const {
  if (!index_) return size_t(std::find(names_.begin(), names_.end(), name) - names_.begin());
  const auto found = index_->find(std::string(name));
  return found == index_->end() ? names_.size() : found->second;
}

const Json* Json::find(std::string_view name) const {
  const size_t place = place_of(name);
  return place == names_.size() ? nullptr : elements_[place].get();
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
  if (index_)
    index_->emplace(name, names_.size() - 1);
  else
    index_names();
  return *elements_.emplace_back(std::make_unique<Json>());
}
void Json::update(const Json& object) {
  for (const auto& [name, value] : object.items()) (*this)[name] = value;
}
void Json::erase(std::string_view name) {
  const size_t place = place_of(name);
  if (place == names_.size()) return;
  elements_.erase(elements_.begin() + std::ptrdiff_t(place));
  names_.erase(names_.begin() + std::ptrdiff_t(place));
  index_names();
}

namespace {
// Exactly: a double of 2^53 and more may be equal to none of the integers that round to it.
bool equals(const Json& integer, double real) {
  if (!(real >= -0x1p63 && real < 0x1p64) || real != std::floor(real)) return false;
  return real < 0 ? integer == Json(int64_t(real)) : integer == Json(uint64_t(real));
}
}  // namespace

bool operator==(const Json& a, const Json& b) {
  if (a.is_number_float() && b.is_number_float()) return a.real_ == b.real_;
  if (a.is_number_float() && b.is_number()) return equals(b, a.real_);
  if (b.is_number_float() && a.is_number()) return equals(a, b.real_);
  return a.kind_ == b.kind_ && a.integer_ == b.integer_ && a.text_ == b.text_ &&
         a.names_ == b.names_ && std::equal(a.begin(), a.end(), b.begin(), b.end());
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

void detail::fail_json_field(const Json& object, const std::string& name, const std::string& place,
                             const std::string& wanted) {
  if (!object.is_object()) fail("{}: a JSON object is needed, found {}", place, object.type_name());
  if (!object.contains(name)) fail("{}: field '{}' is missing", place, name);
  fail("{}: field '{}' is {}; {} is needed", place, name, object[name].excerpt(), wanted);
}

}  // namespace laclip
