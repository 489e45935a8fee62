// Captions before and after, beside their images.
#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <unordered_map>

#include "apps/report/sections.h"
#include "apps/report/thumbnail.h"
#include "base/check.h"

namespace laclip {
namespace {

struct Rewrite {
  std::string mode, text;
};

struct Sample {
  size_t index = 0;  // of the caption table that was rewritten
  std::string key, original;
  std::vector<Rewrite> rewrites;
};

class RewriteFile {
 public:
  explicit RewriteFile(const std::string& path) : path_(path), lines_(read_lines(path)) {
    while (!lines_.empty() && lines_.back().empty()) lines_.pop_back();
    check(!lines_.empty(), "{}: no rewrites in it", path);
  }
  size_t size() const { return lines_.size(); }

  Sample sample(size_t line) const {
    const auto [record, place] = parse(line);
    return {json_field<size_t>(record, "index", place),
            json_field<std::string>(record, "key", place),
            json_field<std::string>(record, "original", place),
            {}};
  }

  // The rewrite of that caption; text "" if the file has none. Most files hold the same captions in
  // the same lines, so line `hint` is tried before all others.
  Rewrite find(const Sample& sample, size_t hint) const {
    if (hint < lines_.size() && belongs(hint, sample)) return rewrite(hint);
    for (size_t line = 0; line < lines_.size(); ++line)
      if (lines_[line].find(sample.key) != std::string::npos && belongs(line, sample))
        return rewrite(line);
    return {fs::path(path_).stem().string(), ""};
  }

 private:
  std::pair<Json, std::string> parse(size_t line) const {
    const std::string place = fmt::format("{}:{}", path_, line + 1);
    return {parse_json(lines_[line], place), place};
  }
  bool belongs(size_t line, const Sample& sample) const {
    const auto [record, place] = parse(line);
    return json_field<std::string>(record, "key", place) == sample.key &&
           json_field<std::string>(record, "original", place) == sample.original;
  }
  Rewrite rewrite(size_t line) const {
    const auto [record, place] = parse(line);
    return {json_field<std::string>(record, "mode", place, fs::path(path_).stem().string()),
            json_field<std::string>(record, "text", place)};
  }
  std::string path_;
  std::vector<std::string> lines_;
};

std::vector<Sample> choose_samples(const ReportOptions& o) {
  std::vector<RewriteFile> files;
  for (const std::string& path : o.rewrites) files.emplace_back(path);
  const size_t count = std::min(o.samples, files[0].size());
  std::vector<Sample> samples;
  for (size_t i = 0; i < count; ++i) {
    const size_t line = i * files[0].size() / count;
    Sample sample = files[0].sample(line);
    for (const RewriteFile& file : files) sample.rewrites.push_back(file.find(sample, line));
    samples.push_back(std::move(sample));
  }
  return samples;
}

// The sample of the training data for each caption: by key, or by number where there are no keys.
std::vector<size_t> find_images(const std::vector<Sample>& samples, const SampleSource& source,
                                const std::string& data) {
  std::unordered_map<std::string_view, size_t> by_key;
  for (const Sample& sample : samples) by_key.emplace(sample.key, source.size());
  for (size_t i = 0; i < source.size(); ++i)
    if (const auto found = by_key.find(source.key(i));
        found != by_key.end() && found->second == source.size())
      found->second = i;
  std::vector<size_t> images;
  for (const Sample& sample : samples) {
    images.push_back(sample.key.empty() ? sample.index : by_key[sample.key]);
    check(images.back() < source.size(),
          "{}: it has no sample with the key '{}' (number {}) of --rewrites; give the data whose "
          "captions were rewritten",
          data, sample.key, sample.index);
  }
  return images;
}

}  // namespace

void captions_section(Html& html, const ReportOptions& o) {
  if (o.rewrites.empty()) return;
  if (o.train_data.empty()) fail_usage("--rewrites needs --train-data, for the images");
  const auto samples = choose_samples(o);
  const auto source = open_samples(o.train_data, o.source);
  const auto images = find_images(samples, *source, o.train_data);
  section(html, "Captions before and after", [&] {
    html.element("p",
                 fmt::format("{} captions, spread evenly over the data; none was picked by hand.",
                             samples.size()),
                 {{"class", "note"}});
    html.nest("div", {{"class", "cards"}}, [&] {
      for (size_t i = 0; i < samples.size(); ++i)
        html.nest("article", {{"class", "card"}}, [&] {
          const ImageBytes image = source->image(images[i]);
          html.empty("img", {{"src", thumbnail(image.view, source->place(images[i]))},
                             {"alt", samples[i].original}});
          html.nest("div", {}, [&] {
            html.element("p", samples[i].original, {{"class", "original"}});
            html.nest("dl", {}, [&] {
              for (const auto& [mode, text] : samples[i].rewrites) {
                html.element("dt", mode);
                html.element("dd", text.empty() ? "–" : text);
              }
            });
          });
        });
    });
  });
}

}  // namespace laclip
