// JSON: nlohmann-json, with errors that name file and field.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/file.h"

namespace laclip {

using Json = nlohmann::ordered_json;

Json parse_json(const std::string& text, const std::string& place);  // throws Error "place: ..."
Json read_json(const fs::path& path);

// The field `name` of `object` as T; Error "place: field 'name' ..." if absent or of another type.
template <class T>
T json_field(const Json& object, const std::string& name, const std::string& place);
template <class T>
T json_field(const Json& object, const std::string& name, const std::string& place, T fallback);

namespace detail {
[[noreturn]] void fail_json_field(const Json& object, const std::string& name,
                                  const std::string& place);
}

template <class T>
T json_field(const Json& object, const std::string& name, const std::string& place) {
  try {
    return object.at(name).get<T>();
  } catch (const nlohmann::json::exception&) {
    detail::fail_json_field(object, name, place);
  }
}
template <class T>
T json_field(const Json& object, const std::string& name, const std::string& place, T fallback) {
  if (!object.contains(name) || object[name].is_null()) return fallback;
  return json_field<T>(object, name, place);
}

}  // namespace laclip
