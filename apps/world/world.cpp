// laclip world: a small drawn world with captions, tasks and rewriting pairs.
#include <fmt/core.h>

#include <memory>
#include <thread>

#include "apps/command.h"
#include "apps/world/world_folder.h"
#include "base/check.h"

namespace laclip {
namespace {

struct WorldOptions {
  WorldSettings settings;
  std::string output, show, judge, world;
  int threads = int(std::max(1u, std::thread::hardware_concurrency()));
  int eda = 0;
  double eda_alpha = 0.1;
};

void make_or_judge(const WorldOptions& o) {
  if (!o.judge.empty()) {
    if (o.world.empty()) fail_usage("--judge needs --world DIR, the world of the captions");
    fmt::print("{}\n", judge_rewrites(o.judge, o.world).dump());
    return;
  }
  if (!o.show.empty()) return write_contact_sheet(o.settings, o.show);
  if (o.output.empty()) fail_usage("--output DIR is missing (or --show FILE, --judge FILE)");
  if (o.eda == 0) return write_world(o.settings, o.output, o.threads);
  if (!fs::exists(fs::path(o.output) / "world.json"))
    fail_usage("--eda: {} is no world yet; make it first, without --eda", o.output);
  write_eda(o.output, o.eda, o.eda_alpha);
}

}  // namespace

void add_world_command(Program& program) {
  Command command =
      program.add_command("world",
                          "a small drawn world: images, web-like captions, tasks, rewriting pairs");
  auto o = std::make_shared<WorldOptions>();
  WorldSettings& s = o->settings;
  command.add_option("-o,--output", o->output, "folder of the world");
  command.add_option("--images", s.images, "training images").check(kPositive);
  command
      .add_option("--test-images", s.test_images,
                  "held-out images, in equal parts for four zero-shot tasks and retrieval")
      .check(kPositive);
  command.add_option("--seed", s.seed, "of everything").check(kNotNegative);
  command.add_option("--image-size", s.image_size, "side in pixels").within(16, 1024);
  command.add_option("--shard-size", s.shard_size, "images of a shard").check(kPositive);
  command.add_option("--documents", s.documents, "training documents for a rewriter")
      .check(kNotNegative);
  command.add_option("--heldout", s.heldout, "held-out documents").check(kNotNegative);
  command.add_option("--plain-share", s.plain_share, "of plain names among the words of captions")
      .within(0.0, 1.0);
  command.add_option("-j,--workers", o->threads, "threads").within(1, 1024);
  command
      .add_option("--eda", o->eda,
                  "write so many EDA variants of OUTPUT/captions.txt: eda_1.txt, …")
      .within(0, 1000);
  command.add_option("--eda-alpha", o->eda_alpha, "share of words that EDA changes")
      .within(0.0, 1.0);
  command.add_option("--judge", o->judge, "judge the JSONL of laclip rewrite; prints figures");
  command.add_option("--world", o->world, "the world of --judge");
  command.add_option("--show", o->show, "write a picture of 8 × 8 scenes (PNG) and stop");
  command.callback([o] { make_or_judge(*o); });
}

}  // namespace laclip
