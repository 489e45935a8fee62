// JSON values whose objects keep their order, and errors that name file and field. Text is read and
// written by nlohmann-json (json_text.cpp), whose headers would cost each file that includes this seconds.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/file.h"

namespace laclip {

// Malformed text, a value of the wrong kind, or a missing name.
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

namespace detail {
// What Json::to takes for a T, for messages.
template <class T>
std::string json_kind() {
  if constexpr (std::same_as<T, bool>) return "a boolean";
  if constexpr (std::same_as<T, int32_t>) return "an integer of 32 bits";
  if constexpr (std::same_as<T, int64_t>) return "an integer of 64 bits";
  if constexpr (std::same_as<T, uint64_t>) return "an integer of 64 bits that is not negative";
  if constexpr (std::same_as<T, float>) return "a number that fits into 32 bits";
  if constexpr (std::same_as<T, double>) return "a number";
  if constexpr (JsonText<T>) return "a string";
  if constexpr (JsonMap<T>)
    return "an object of values, each " + json_kind<typename T::mapped_type>();
  if constexpr (requires { std::tuple_size<T>::value; })
    return "an array of " + std::to_string(std::tuple_size<T>::value) + " values, each " +
           json_kind<typename T::value_type>();
  else if constexpr (JsonList<T>)
    return "an array of values, each " + json_kind<typename T::value_type>();
  else
    return "another kind";
}
}  // namespace detail

// References to elements and fields stay valid until these are erased, so json["new"] = json["old"] is possible.
class Json {
 public:
  enum class Kind : uint8_t { null, boolean, integer, natural, real, string, array, object };

  // ---- from values of C++
  Json() : integer_(0) {}
  Json(std::nullptr_t) : integer_(0) {}
  template <std::same_as<bool> T>  // keeps pointers from converting to bool
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
  Json& operator=(Json other) noexcept;  // by value, because other may be an element of this
  ~Json();

  // ---- to values of C++: false if this is of another kind. A number without a fraction, such as 3.0, converts to an
  // integer.
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
    for (const Json& element : *this) {
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
      if (!elements_[i]->to(list[i])) return false;
    return true;
  }
  template <JsonMap T>
  bool to(T& map) const {
    map.clear();
    for (size_t i = 0; i < names_.size(); ++i)
      if (!elements_[i]->to(map[names_[i]])) return false;
    return is_object();
  }
  template <class T>
  T get() const {
    T value{};
    if (!to(value)) fail_kind(detail::json_kind<T>());
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
  class Iterator {
   public:
    using value_type = Json;
    using difference_type = std::ptrdiff_t;
    Iterator() = default;
    explicit Iterator(const std::unique_ptr<Json>* at) : at_(at) {}
    const Json& operator*() const { return **at_; }
    const Json* operator->() const { return at_->get(); }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    Iterator operator++(int) { return Iterator(at_++); }
    bool operator==(const Iterator& other) const = default;

   private:
    const std::unique_ptr<Json>* at_ = nullptr;
  };
  Iterator begin() const { return Iterator(elements_.data()); }
  Iterator end() const { return Iterator(elements_.data() + elements_.size()); }
  const Json& at(size_t index) const;
  const Json& operator[](size_t index) const { return at(index); }
  Json& operator[](size_t index) { return const_cast<Json&>(at(index)); }
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
      Item operator*() const { return {json_.names_[at_], *json_.elements_[at_]}; }
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
  Items items() const& { return Items(*this); }  // of an object; of others none
  Items items() const&& = delete;                // would refer to what is gone

  // ---- text
  // Indented by so many spaces; < 0: one line. NaN and infinities become null; invalid UTF-8 becomes U+FFFD.
  std::string dump(int indent = -1) const;
  std::string excerpt() const;  // one line of at most 80 bytes, for messages
  enum class DuplicateNames : bool { last_counts, error };
  static Json parse(std::string_view text, DuplicateNames names = DuplicateNames::last_counts);
  static bool accept(std::string_view text);

  friend bool operator==(const Json& a, const Json& b);  // numbers by value
  friend std::ostream& operator<<(std::ostream& stream, const Json& json);

 private:
  friend class JsonWriter;
  using Index = std::unordered_map<std::string, size_t>;  // positions of the fields
  [[noreturn]] void fail_kind(const std::string& wanted) const;
  void index_names();
  size_t place_of(std::string_view name) const;  // size() if there is none

  Kind kind_ = Kind::null;
  union {
    int64_t integer_;  // of a natural its bits
    double real_;
  };
  std::string text_;
  std::vector<std::unique_ptr<Json>> elements_;
  std::vector<std::string> names_;  // of an object's elements
  std::unique_ptr<Index> index_;    // of objects with many names
};

Json parse_json(const std::string& text, const std::string& place);  // throws Error "place: ..."
Json read_json(const fs::path& path);

namespace detail {
[[noreturn]] void fail_json_field(const Json& object, const std::string& name,
                                  const std::string& place, const std::string& wanted);
}

// The field `name` of `object` as T; Error "place: field 'name' ..." if absent or of another type.
template <class T>
T json_field(const Json& object, const std::string& name, const std::string& place) {
  const Json* field = object.find(name);
  T value{};
  if (!field || !field->to(value))
    detail::fail_json_field(object, name, place, detail::json_kind<T>());
  return value;
}
template <class T>
T json_field(const Json& object, const std::string& name, const std::string& place, T fallback) {
  const Json* field = object.find(name);
  if (object.is_object() && (!field || field->is_null())) return fallback;
  return json_field<T>(object, name, place);
}

}  // namespace laclip
