#include "base/json.h"

#include "base/check.h"

namespace laclip {

Json parse_json(const std::string& text, const std::string& place) {
  try {
    return Json::parse(text);
  } catch (const nlohmann::json::exception& error) {
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
