// JSON as text, by nlohmann-json, which only this file includes.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/json.h"

namespace laclip {
namespace {

constexpr size_t kDeepest = 512;  // because what walks through values calls itself

// Takes the parser's events and builds the value.
class Builder : public nlohmann::json_sax<nlohmann::ordered_json> {
 public:
  Builder(std::string_view text, Json::DuplicateNames names) : text_(text), names_(names) {}

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(int64_t value) override { return add(value); }
  bool number_unsigned(uint64_t value) override { return add(value); }
  bool number_float(double value, const std::string&) override { return add(value); }
  bool string(std::string& value) override { return add(std::string_view(value)); }
  bool binary(binary_t&) override { return false; }  // not in text
  bool start_object(size_t) override { return open(Json::object()); }
  bool start_array(size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(std::string& name) override {
    if (names_ == Json::DuplicateNames::error && open_.back()->contains(name))
      throw JsonError(fmt::format("'{}' is listed twice", name));
    name_ = name;
    return true;
  }
  bool parse_error(size_t position, const std::string& token,
                   const nlohmann::json::exception& error) override {
    const std::string_view before = text_.substr(0, std::min(position, text_.size()));
    const size_t line = before.rfind('\n');
    // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error while …"
    std::string_view what = error.what();
    if (const size_t column = what.find("column "); column != what.npos)
      if (const size_t colon = what.find(": ", column); colon != what.npos)
        what.remove_prefix(colon + 2);
    static_cast<void>(token);
    throw JsonError(fmt::format("line {}, column {}: {}",
                                std::count(before.begin(), before.end(), '\n') + 1,
                                before.size() - (line == before.npos ? 0 : line + 1), what));
  }

  Json take() { return std::move(root_); }

 private:
  Json* place(Json value) {
    if (open_.empty()) return &(root_ = std::move(value));
    if (!open_.back()->is_object()) return &open_.back()->push_back(std::move(value));
    Json& field = (*open_.back())[name_];
    return &(field = std::move(value));
  }
  bool add(Json value) {
    place(std::move(value));
    return true;
  }
  bool open(Json value) {
    if (open_.size() >= kDeepest)
      throw JsonError(fmt::format("values are nested deeper than {} levels", kDeepest));
    open_.push_back(place(std::move(value)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  std::string_view text_;
  Json::DuplicateNames names_;
  Json root_;
  std::vector<Json*> open_;  // the innermost last; a parent does not move while one inside is open
  std::string name_;         // of the field that comes
};

}  // namespace

class JsonWriter {
 public:
  static nlohmann::ordered_json write(const Json& json) {
    using Kind = Json::Kind;
    switch (json.kind_) {
      case Kind::null:
        return nullptr;
      case Kind::boolean:
        return json.integer_ != 0;
      case Kind::integer:
        return json.integer_;
      case Kind::natural:
        return uint64_t(json.integer_);
      case Kind::real:
        return json.real_;
      case Kind::string:
        return json.text_;
      case Kind::array:
      case Kind::object:
        break;
    }
    auto all =
        json.is_object() ? nlohmann::ordered_json::object() : nlohmann::ordered_json::array();
    for (size_t i = 0; i < json.elements_.size(); ++i) {
      auto value = write(*json.elements_[i]);
      if (json.is_object())  // not by emplace(), which would search for the name among all before it
        all.get_ref<nlohmann::ordered_json::object_t&>().emplace_back(json.names_[i],
                                                                      std::move(value));
      else
        all.push_back(std::move(value));
    }
    return all;
  }
};

std::string Json::dump(int indent) const {
  return JsonWriter::write(*this).dump(indent, ' ', false,
                                       nlohmann::ordered_json::error_handler_t::replace);
}

Json Json::parse(std::string_view text, DuplicateNames names) {
  Builder builder(text, names);
  nlohmann::ordered_json::sax_parse(text, &builder);
  return builder.take();
}

bool Json::accept(std::string_view text) {
  try {
    parse(text);
    return true;
  } catch (const JsonError&) {
    return false;
  }
}

}  // namespace laclip
