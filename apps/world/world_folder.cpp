#include "apps/world/world_folder.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <thread>

#include "base/check.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/progress.h"
#include "data/image_write.h"
#include "data/tar_write.h"
#include "data/world/documents.h"
#include "data/world/render.h"
#include "data/world/tasks.h"

namespace laclip {
namespace {

using namespace world;

constexpr int64_t kChunk = 2048;  // items made between two writes

std::string jpeg_of(const Scene& scene, int size) {
  const auto bytes = encode_jpeg(render(scene, size), kJpegQuality);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// No reader sees the folder before it is whole, so its files need no rename of their own.
void write_file(const fs::path& path, std::string_view bytes) { AppendFile(path, 0).append(bytes); }

class WorldWriter {
 public:
  WorldWriter(const WorldSettings& settings, fs::path folder, int threads)
      : s_(settings),
        folder_(std::move(folder)),
        threads_(threads),
        progress_("making the world", "items",
                  s_.images + s_.test_images + s_.documents + s_.heldout) {}

  void write() {
    write_train();
    const auto all = tasks();
    const auto parts = int64_t(all.size() + 1);  // the tasks and retrieval share the test images
    for (size_t t = 0; t < all.size(); ++t) write_task(all[t], s_.test_images / parts);
    write_retrieval(s_.test_images - s_.test_images / parts * (parts - 1));
    make_folders(folder_ / "pairs");
    for (RewriteMode style : kStyles)
      write_file(folder_ / "pairs" / (name_of(style) + ".json"),
                 example_pairs(s_.seed, style, s_.alt_text()).dump(1) + "\n");
    if (s_.documents > 0)
      write_lines("documents.jsonl", s_.documents, [this](int64_t i) {
        const auto text = make_document(s_.seed, Split::documents, uint64_t(i), s_.alt_text()).text;
        return Json{{"text", text}}.dump();
      });
    write_heldout();
    write_file(folder_ / "world.json", s_.to_json().dump(2) + "\n");
    progress_.finish();
  }

 private:
  // make(i) for i = begin … end-1 on all threads, results in order.
  template <class Make>
  auto in_parallel(int64_t begin, int64_t end, const Make& make) {
    if (interrupted()) fail("stopped; nothing was kept, the same command begins anew");
    std::vector<decltype(make(begin))> results(size_t(end - begin));
    std::atomic<int64_t> next = begin;
    const auto work = [&] {
      for (int64_t i; (i = next++) < end;) results[size_t(i - begin)] = make(i);
    };
    std::vector<std::jthread> pool;
    for (int t = 1; t < threads_; ++t) pool.emplace_back(work);
    work();
    pool.clear();
    progress_.update(done_ += end - begin);
    return results;
  }

  void write_lines(const std::string& name, int64_t count,
                   const std::function<std::string(int64_t)>& make) {
    AppendFile file(folder_ / name, 0);
    for (int64_t begin = 0; begin < count; begin += kChunk) {
      std::string text;
      for (const std::string& line : in_parallel(begin, std::min(count, begin + kChunk), make))
        text += line + "\n";
      file.append(text);
    }
  }

  void write_train() {
    struct Sample {
      std::string jpeg, caption, json;
    };
    make_folders(folder_ / "train");
    AppendFile captions(folder_ / "captions.txt", 0);
    for (int64_t begin = 0, shard = 0; begin < s_.images; begin += s_.shard_size, ++shard) {
      const int64_t end = std::min(s_.images, begin + s_.shard_size);
      const auto samples = in_parallel(begin, end, [this](int64_t i) {
        const Scene scene = make_scene({s_.seed, Split::train, uint64_t(i)});
        const AltText caption = alt_text(scene, s_.alt_text());
        const Json json{{"scene", to_json(scene)}, {"caption_facts", to_json(caption.facts)}};
        return Sample{jpeg_of(scene, s_.image_size), caption.text, json.dump()};
      });
      TarWriter tar;
      for (int64_t i = begin; i < end; ++i) {
        const auto& [jpeg, caption, json] = samples[size_t(i - begin)];
        const std::string key = fmt::format("{:09}", i);
        tar.add(key + ".jpg", jpeg).add(key + ".txt", caption).add(key + ".json", json);
        captions.append(caption + "\n");
      }
      write_file(folder_ / "train" / fmt::format("{:05}.tar", shard), tar.finish());
    }
  }

  void write_task(const Task& task, int64_t count) {
    const fs::path folder = folder_ / "zeroshot" / task.name;
    Json names = Json::object();
    for (const TaskClass& c : task.classes) {
      make_folders(folder / "images" / c.folder);
      names[c.folder] = c.name;
    }
    write_file(folder / "classnames.json", names.dump(1) + "\n");
    write_file(folder / "templates.json", Json(task.templates).dump(1) + "\n");
    const auto images = in_parallel(0, count, [&](int64_t i) {
      return jpeg_of(task_scene(s_.seed, task, uint64_t(i)), s_.image_size);
    });
    for (int64_t i = 0; i < count; ++i) {
      const TaskClass& c = task.classes[size_t(i) % task.classes.size()];
      write_file(folder / "images" / c.folder / fmt::format("{:05}.jpg", i), images[size_t(i)]);
    }
  }

  void write_retrieval(int64_t count) {
    make_folders(folder_ / "retrieval");
    std::string lines;
    const auto images = in_parallel(0, count, [&](int64_t i) {
      const Scene scene = make_scene({s_.seed, Split::retrieval, uint64_t(i)});
      return std::pair(jpeg_of(scene, s_.image_size), plain_caption(scene));
    });
    for (int64_t i = 0; i < count; ++i) {
      const std::string name = fmt::format("retrieval/{:05}.jpg", i);
      write_file(folder_ / name, images[size_t(i)].first);
      lines += Json{{"image", name}, {"caption", images[size_t(i)].second}}.dump() + "\n";
    }
    write_file(folder_ / "retrieval.jsonl", lines);
  }

  void write_heldout() {
    std::string captions;
    const auto documents = in_parallel(0, s_.heldout, [this](int64_t i) {
      return make_document(s_.seed, Split::heldout, uint64_t(i), s_.alt_text());
    });
    std::string lines;
    for (const Document& document : documents) {
      captions += document.query.text + "\n";
      lines += Json{{"text", document.text},
                    {"style", name_of(document.style)},
                    {"caption", document.query.text},
                    {"target", document.target},
                    {"facts", to_json(document.query.facts)},
                    {"scene", to_json(document.scene)}}
                   .dump() +
               "\n";
    }
    write_file(folder_ / "heldout.jsonl", lines);
    write_file(folder_ / "heldout.txt", captions);
  }

  const WorldSettings& s_;
  fs::path folder_;
  int threads_;
  int64_t done_ = 0;
  Progress progress_;
};

}  // namespace

Json WorldSettings::to_json() const {
  return {{"format", 1},
          {"seed", seed},
          {"images", images},
          {"test_images", test_images},
          {"image_size", image_size},
          {"shard_size", shard_size},
          {"documents", documents},
          {"heldout", heldout},
          {"plain_share", plain_share}};
}

WorldSettings WorldSettings::read(const fs::path& folder) {
  const fs::path file = folder / "world.json";
  const Json json = read_json(file);
  const std::string place = file.string();
  check(json_field<int>(json, "format", place) == 1,
        "{}: made by another version of laclip; make the world anew", place);
  WorldSettings s;
  s.seed = json_field<uint64_t>(json, "seed", place);
  s.images = json_field<int64_t>(json, "images", place);
  s.test_images = json_field<int64_t>(json, "test_images", place);
  s.image_size = json_field<int>(json, "image_size", place);
  s.shard_size = json_field<int64_t>(json, "shard_size", place);
  s.documents = json_field<int64_t>(json, "documents", place);
  s.heldout = json_field<int64_t>(json, "heldout", place);
  s.plain_share = json_field<double>(json, "plain_share", place);
  return s;
}

void write_world(const WorldSettings& settings, const fs::path& folder, int threads) {
  if (fs::exists(folder / "world.json")) {
    const Json there = WorldSettings::read(folder).to_json(), wanted = settings.to_json();
    check(there == wanted, "{}: holds a world of other settings ({}); choose another --output",
          folder.string(), there.dump());
    log_info("{}: the world is there already", folder.string());
    return;
  }
  check(!fs::exists(folder) || (fs::is_directory(folder) && fs::is_empty(folder)),
        "{}: is there already and is no world; choose another --output", folder.string());
  fs::path target = fs::absolute(folder).lexically_normal();
  if (!target.has_filename()) target = target.parent_path();  // "DIR/"
  const fs::path partial = target.string() + ".laclip-partial";
  const CatchInterrupts scope;
  fs::remove_all(partial);
  make_folders(partial);
  try {
    WorldWriter(settings, partial, threads).write();
    fs::rename(partial, target);
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(partial, ignored);
    throw;
  }
  log_info("{}: {} training and {} test images, {} documents", folder.string(), settings.images,
           settings.test_images, settings.documents);
}

}  // namespace laclip
