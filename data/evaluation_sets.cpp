#include "data/evaluation_sets.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <numeric>
#include <thread>

#include "base/check.h"
#include "base/json.h"
#include "data/image_decode.h"
#include "data/text.h"

namespace laclip {
namespace {

bool is_image(const fs::path& path) {
  const std::string ending = lower(path.extension().string());
  return ending == ".jpg" || ending == ".jpeg" || ending == ".png" || ending == ".webp" ||
         ending == ".bmp" || ending == ".gif";
}

std::vector<std::string> names_of(const Json& value, const std::string& place) {
  if (value.is_string()) return {value.get<std::string>()};
  check(value.is_array() && !value.empty() && value[0].is_string(),
        "{}: a class needs a name or a list of names, found {}", place, value.dump().substr(0, 60));
  return value.get<std::vector<std::string>>();
}

}  // namespace

ImageFolder read_image_folder(const fs::path& folder) {
  check(fs::is_directory(folder), "{}: there is no such folder of images", folder.string());
  ImageFolder result;
  std::vector<fs::path> classes;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.is_directory()) classes.push_back(entry.path());
  std::sort(classes.begin(), classes.end());
  for (const fs::path& path : classes) {
    std::vector<fs::path> images;
    for (const auto& entry : fs::recursive_directory_iterator(path))
      if (entry.is_regular_file() && is_image(entry.path())) images.push_back(entry.path());
    std::sort(images.begin(), images.end());
    result.classes.push_back(path.filename().string());
    for (fs::path& image : images) {
      result.images.push_back(std::move(image));
      result.labels.push_back(int32_t(result.classes.size() - 1));
    }
  }
  check(!result.images.empty(), "{}: no class folders with images in it", folder.string());
  return result;
}

ClassNames read_class_names(const fs::path& file) {
  const Json json = read_json(file);
  ClassNames result;
  check((json.is_array() || json.is_object()) && !json.empty(),
        "{}: a list of class names is needed, or "
        "an object {{\"folder\": \"name\"}}",
        file.string());
  for (const Json& value : json) result.names.push_back(names_of(value, file.string()));
  for (const auto& [folder, value] : json.items()) result.folders.push_back(folder);
  return result;
}

std::vector<int32_t> match_classes(const ImageFolder& folder, const ClassNames& names,
                                   const fs::path& names_file) {
  auto index_in = [](const std::vector<std::string>& list, const std::string& name) {
    const auto found = std::find(list.begin(), list.end(), name);
    return found == list.end() ? -1 : int32_t(found - list.begin());
  };
  std::vector<int32_t> classes;
  std::vector<std::string> unknown;
  for (const std::string& name : folder.classes) {
    int32_t match = -1;
    if (!names.folders.empty()) match = index_in(names.folders, name);
    for (size_t c = 0; match < 0 && names.folders.empty() && c < names.names.size(); ++c)
      if (index_in(names.names[c], name) >= 0) match = int32_t(c);
    classes.push_back(match);
    if (match < 0) unknown.push_back(name);
  }
  if (unknown.empty()) return classes;
  if (unknown.size() < classes.size()) {
    const size_t shown = std::min<size_t>(unknown.size(), 10);
    fail("{}: {} of the {} folders have no name in it: {}{}; add their names or move them away",
         names_file.string(), unknown.size(), classes.size(),
         fmt::join(unknown.begin(), unknown.begin() + long(shown), ", "),
         shown < unknown.size() ? ", …" : "");
  }
  check(names.folders.empty() && names.names.size() == classes.size(),
        "{}: none of the {} folders (such as '{}') is a class of {}, and their numbers differ "
        "({} classes); give an object {{\"folder\": \"name\"}}",
        names_file.string(), folder.classes.size(), folder.classes[0],
        names_file.filename().string(), names.names.size());
  std::iota(classes.begin(), classes.end(), 0);  // by order
  return classes;
}

std::vector<std::string> read_templates(const fs::path& file) {
  const Json json = read_json(file);
  check(json.is_array() && !json.empty(), "{}: a list of templates is needed", file.string());
  std::vector<std::string> templates;
  for (const Json& value : json) {
    check(value.is_string(), "{}: a template is {}, not a text", file.string(), value.dump());
    const auto text = value.get<std::string>();
    check(fill_template(text, "x") != text, "{}: the template '{}' has no {{}} for the class name",
          file.string(), text);
    templates.push_back(text);
  }
  return templates;
}

std::string fill_template(const std::string& text, const std::string& name) {
  std::string result = text;
  for (const std::string hole : {"{}", "{c}"})
    for (size_t at = 0; (at = result.find(hole, at)) != std::string::npos; at += name.size())
      result.replace(at, hole.size(), name);
  return result;
}

RetrievalPairs read_retrieval_pairs(const fs::path& file) {
  RetrievalPairs pairs;
  int64_t number = 0;
  for (const std::string& line : read_lines(file)) {
    const std::string place = fmt::format("{}:{}", file.string(), ++number);
    if (line.empty()) continue;
    const Json row = parse_json(line, place);
    pairs.images.push_back(file.parent_path() / json_field<std::string>(row, "image", place));
    const auto captions = row.contains("captions")
                              ? json_field<std::vector<std::string>>(row, "captions", place)
                              : std::vector{json_field<std::string>(row, "caption", place)};
    for (const std::string& caption : captions) {
      pairs.texts.push_back(caption);
      pairs.image_of_text.push_back(int32_t(pairs.images.size() - 1));
    }
  }
  check(!pairs.texts.empty(), "{}: no pairs in it", file.string());
  return pairs;
}

LoadedImages load_images(const std::vector<fs::path>& paths, size_t begin, size_t count, int size,
                         Interpolation interpolation, int threads, FaultReport& faults) {
  const size_t each = size_t(size) * size_t(size) * 3;
  struct Fault {
    std::string reason, message;
  };
  std::vector<Fault> found(count);
  LoadedImages images;
  images.pixels.resize(count * each);
  std::atomic<size_t> next = 0;
  auto work = [&] {
    for (size_t i; (i = next++) < count;) try {
        const auto bytes = read_bytes(paths[begin + i]);
        const Image crop = evaluation_crop(decode_image(bytes, {}, paths[begin + i].string()), size,
                                           interpolation);
        std::copy(crop.rgb.begin(), crop.rgb.end(), images.pixels.begin() + long(i * each));
      } catch (const ImageError& error) {
        found[i] = {name_of(error.fault), error.what()};
      } catch (const std::exception& error) {
        found[i] = {"unreadable file", error.what()};
      }
  };
  std::vector<std::thread> pool;
  for (int t = 1; t < threads; ++t) pool.emplace_back(work);
  work();
  for (std::thread& thread : pool) thread.join();

  for (size_t i = 0; i < count; ++i) {  // the sound ones move together
    if (!found[i].reason.empty()) {
      faults.add(found[i].reason, found[i].message);
      continue;
    }
    const auto from = images.pixels.begin() + long(i * each);
    std::copy(from, from + long(each), images.pixels.begin() + long(images.which.size() * each));
    images.which.push_back(begin + i);
  }
  images.pixels.resize(images.which.size() * each);
  return images;
}

}  // namespace laclip
