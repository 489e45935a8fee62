// JSON values whose objects keep their order, and errors that name file and field. Text is read and
// written by nlohmann-json (json_text.cpp), whose headers would cost each file that includes this seconds.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.h"

namespace laclip {

// A text that is not JSON, a value of another kind, a name that is not there.
struct JsonError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

template <class T>
concept JsonText = std::convertible_to<const T&, std::string_view>;
template <class T>  // std::map<std::string, …>
concept JsonMap = requires {
  typename T::mapped_type;
};
template <class T>  // std::vector, std::array, …
concept JsonList = !JsonMap<T> && !JsonText<T> && !std::convertible_to<const T&, std::string> &&
                   requires(const T& list) {
  typename T::value_type;
  list.begin();
};

class Json {
 public:
  enum class Kind : uint8_t { null, boolean, integer, natural, real, string, array, object };

  // ---- from values of C++
  Json() : integer_(0) {}
  Json(std::nullptr_t) : integer_(0) {}
  template <std::same_as<bool> T>  // a pointer is none
  Json(T value) : kind_(Kind::boolean), integer_(value) {}
  template <std::signed_integral T>
  Json(T value) : kind_(Kind::integer), integer_(value) {}
  template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>) Json(T value)
      : kind_(value > uint64_t(INT64_MAX) ? Kind::natural : Kind::integer),
        integer_(int64_t(value)) {}
  template <std::floating_point T>
  Json(T value) : kind_(Kind::real), real_(double(value)) {}
  Json(const char* text) : Json(std::string_view(text)) {}
  Json(const std::string& text) : Json(std::string_view(text)) {}
  Json(std::string_view text);
  template <JsonList T>
  Json(const T& list) : Json(array()) {
    for (const auto& value : list) push_back(value);
  }
  template <JsonMap T>
  Json(const T& map) : Json(object()) {
    for (const auto& [name, value] : map) (*this)[name] = value;
  }
  // {{"name", value}, …} is an object, any other list an array.
  Json(std::initializer_list<Json> list);
  static Json array();
  static Json object();

  Json(const Json& other);
  Json(Json&& other) noexcept;
  Json& operator=(const Json& other);
  Json& operator=(Json&& other) noexcept;
  ~Json();

  // ---- to values of C++: false if this is none of the kind. A number with no fraction is whole.
  bool to(bool& value) const;
  bool to(int32_t& value) const;
  bool to(int64_t& value) const;
  bool to(uint64_t& value) const;
  bool to(float& value) const;
  bool to(double& value) const;
  bool to(std::string& value) const;
  bool to(Json& value) const;
  template <class T>
  bool to(std::vector<T>& list) const {
    list.clear();
    for (const Json& element : elements_) {
      T value{};
      if (!element.to(value)) return false;
      list.push_back(std::move(value));
    }
    return is_array();
  }
  template <class T, size_t N>
  bool to(std::array<T, N>& list) const {
    if (!is_array() || elements_.size() != N) return false;
    for (size_t i = 0; i < N; ++i)
      if (!elements_[i].to(list[i])) return false;
    return true;
  }
  template <JsonMap T>
  bool to(T& map) const {
    map.clear();
    for (size_t i = 0; i < names_.size(); ++i)
      if (!elements_[i].to(map[names_[i]])) return false;
    return is_object();
  }
  template <class T>
  T get() const {
    T value{};
    if (!to(value)) fail_kind();
    return value;
  }

  // ---- kinds
  Kind kind() const { return kind_; }
  bool is_null() const { return kind_ == Kind::null; }
  bool is_string() const { return kind_ == Kind::string; }
  bool is_array() const { return kind_ == Kind::array; }
  bool is_object() const { return kind_ == Kind::object; }
  bool is_number() const { return is_number_integer() || is_number_float(); }
  bool is_number_integer() const { return kind_ == Kind::integer || kind_ == Kind::natural; }
  bool is_number_float() const { return kind_ == Kind::real; }
  const char* type_name() const;  // for messages: "number", …

  // ---- arrays, and the values of objects
  size_t size() const { return elements_.size(); }
  bool empty() const { return elements_.empty(); }
  const Json* begin() const { return elements_.data(); }
  const Json* end() const { return elements_.data() + elements_.size(); }
  const Json& at(size_t index) const;
  // Both, so that a literal 0 is no null pointer to a name.
  template <std::integral T>
  const Json& operator[](T index) const {
    return at(size_t(index));
  }
  template <std::integral T>
  const Json& operator[](T index) {
    return at(size_t(index));
  }
  const Json& back() const { return at(size() - 1); }
  Json& push_back(Json value);  // null becomes an array

  // ---- objects
  const Json* find(std::string_view name) const;  // null if this is no object or has no such name
  bool contains(std::string_view name) const { return find(name) != nullptr; }
  const Json& at(std::string_view name) const;
  const Json& operator[](std::string_view name) const { return at(name); }
  Json& operator[](std::string_view name);  // made if it is not there; null becomes an object
  template <class T>
  T value(std::string_view name, T fallback) const {
    const Json* found = find(name);
    return found ? found->get<T>() : std::move(fallback);
  }
  std::string value(std::string_view name, const char* fallback) const {
    return value(name, std::string(fallback));
  }
  void update(const Json& object);  // takes its fields over
  void erase(std::string_view name);

  struct Item {
    const std::string& name;
    const Json& value;
  };
  class Items {  // for (const auto& [name, value] : object.items())
   public:
    class Iterator {
     public:
      Iterator(const Json& json, size_t at) : json_(json), at_(at) {}
      Item operator*() const { return {json_.names_[at_], json_.elements_[at_]}; }
      Iterator& operator++() {
        ++at_;
        return *this;
      }
      bool operator!=(const Iterator& other) const { return at_ != other.at_; }

     private:
      const Json& json_;
      size_t at_;
    };
    explicit Items(const Json& json) : json_(json) {}
    Iterator begin() const { return {json_, 0}; }
    Iterator end() const { return {json_, json_.names_.size()}; }

   private:
    const Json& json_;
  };
  Items items() const { return Items(*this); }  // of an object; of others none

  // ---- text
  // Indented by so many spaces; < 0: one line. A number that is none (NaN) becomes null, and what is
  // not UTF-8 U+FFFD.
  std::string dump(int indent = -1) const;
  enum class SameNames : bool { last_counts, fault };
  static Json parse(std::string_view text, SameNames names = SameNames::last_counts);
  static bool accept(std::string_view text);

  friend bool operator==(const Json& a, const Json& b);  // numbers by value
  friend std::ostream& operator<<(std::ostream& stream, const Json& json);

 private:
  friend class JsonWriter;
  [[noreturn]] void fail_kind() const;

  Kind kind_ = Kind::null;
  union {
    int64_t integer_;  // of a natural its bits
    double real_;
  };
  std::string text_;
  std::vector<Json> elements_;
  std::vector<std::string> names_;  // of an object's elements
};

Json parse_json(const std::string& text, const std::string& place);  // throws Error "place: ..."
Json read_json(const fs::path& path);

namespace detail {
[[noreturn]] void fail_json_field(const Json& object, const std::string& name,
                                  const std::string& place);
}

// The field `name` of `object` as T; Error "place: field 'name' ..." if absent or of another type.
template <class T>
T json_field(const Json& object, const std::string& name, const std::string& place) {
  const Json* field = object.find(name);
  T value{};
  if (!field || !field->to(value)) detail::fail_json_field(object, name, place);
  return value;
}
template <class T>
T json_field(const Json& object, const std::string& name, const std::string& place, T fallback) {
  const Json* field = object.find(name);
  if (object.is_object() && (!field || field->is_null())) return fallback;
  return json_field<T>(object, name, place);
}

}  // namespace laclip
