// laclip plan: the memory of a CLIP training step by purpose, and the largest batch that fits.
#include <fmt/core.h>

#include <algorithm>
#include <optional>

#include "apps/command.h"
#include "apps/device.h"
#include "base/check.h"
#include "base/json.h"
#include "base/progress.h"
#include "models/clip_trainer.h"

namespace laclip {
namespace {

struct PlanOptions {
  std::string model = "ViT-B-32", precision = "auto", device = "auto", memory;
  int64_t batch_size = 256, micro_batch = 0;
  bool json = false;
};

// "80G", "512M", "1073741824"; G and M are powers of 1024.
int64_t parse_bytes(const std::string& text) {
  size_t end = 0;
  double value = 0;
  try {
    value = std::stod(text, &end);
  } catch (const std::exception&) {
  }
  const std::string unit = text.substr(end);
  const double factor = unit == "G" ? 1 << 30 : unit == "M" ? 1 << 20 : unit.empty() ? 1 : 0;
  if (factor == 0 || !(value > 0 && value * factor < 0x1p62))
    fail_usage("--memory {}: a number of bytes, or one with M or G, such as 80G", text);
  return int64_t(value * factor);
}

struct Row {
  std::string purpose;
  int64_t bytes;
};

std::vector<Row> rows_of(const Clip& model, int64_t batch, int64_t micro) {
  const ParameterSet& p = model.parameters();
  const ClipConfig& c = model.config();
  // On a GPU: the images of two batches that come and of the one that is there, as if crops were decoded at
  // their size; a micro-batch's ids, positions, ends and offsets.
  const int64_t input = 3 * image_bytes(c, batch) + micro * (8 * c.context_length + 8);
  std::vector<Row> rows{{"weights (fp32)", p.masters().bytes()}};
  if (p.values()) rows.push_back({"weights (bf16)", p.values().bytes()});
  rows.push_back({"gradients", p.gradients().bytes()});
  rows.push_back({"optimizer moments", 2 * p.first_moments().bytes()});
  rows.push_back({"features", feature_bytes(model, batch)});
  rows.push_back({"activations", activation_bytes(model, micro)});
  rows.push_back({"input", input});
  // Within ops: split products, a block of logits, lists that are sorted, cuBLASLt's 32 MiB; and a second
  // gradient of the largest weight, on which the GEMMs that add to gradients are timed.
  int64_t largest = 0;
  for (const Parameter& parameter : p.list())
    largest = std::max(largest, 4 * parameter.shape.elements());
  rows.push_back({"allowance for ops", (int64_t(256) << 20) + largest});
  return rows;
}

int64_t total(const std::vector<Row>& rows) {
  int64_t sum = 0;
  for (const Row& row : rows) sum += row.bytes;
  return sum;
}

// The largest batch, in one micro-batch, that `memory` holds; 0 if none does.
int64_t largest_batch(const Clip& model, int64_t memory) {
  const auto fits = [&](int64_t batch) { return total(rows_of(model, batch, batch)) <= memory; };
  if (!fits(1)) return 0;
  int64_t below = 1, above = 2;
  while (fits(above)) below = above, above *= 2;
  while (above - below > 1) {
    const int64_t middle = (below + above) / 2;
    (fits(middle) ? below : above) = middle;
  }
  return below;
}

void plan(const PlanOptions& o) {
  // Its memory is never touched, so it costs none.
  const Device device =
      o.device == "cuda" ? Device::cuda : parse_device(o.device);  // absent or not
  const std::string precision = settled_precision(o.precision, device);
  const Clip model(load_clip_config(o.model), parse_precision(precision), Training::yes,
                   std::nullopt);
  const int64_t micro = o.micro_batch > 0 ? std::min(o.micro_batch, o.batch_size) : o.batch_size;
  const auto rows = rows_of(model, o.batch_size, micro);
  const int64_t sum = total(rows), memory = o.memory.empty() ? 0 : parse_bytes(o.memory);
  const int64_t largest = memory > 0 ? largest_batch(model, memory) : 0;
  if (o.json) {
    Json json = {{"model", o.model},
                 {"precision", precision},
                 {"batch", o.batch_size},
                 {"micro_batch", micro},
                 {"total", sum}};
    for (const Row& row : rows) json["bytes"][row.purpose] = row.bytes;
    if (memory > 0) json["largest_batch"] = largest;
    fmt::print("{}\n", json.dump());
    return;
  }
  fmt::print("{} in {}, batch {} in micro-batches of {}\n", o.model, precision, o.batch_size,
             micro);
  for (const Row& row : rows)
    fmt::print("  {:20} {:>12}\n", row.purpose, format_bytes(double(row.bytes)));
  fmt::print("  {:20} {:>12}\n", "total", format_bytes(double(sum)));
  fmt::print(
      "not counted: crops that are larger than the images, and what a device keeps for itself\n");
  if (memory > 0)
    fmt::print("largest batch in {}: {}\n", format_bytes(double(memory)),
               largest > 0 ? std::to_string(largest) : "none, not even one pair");
}

}  // namespace

void add_plan_command(Program& program) {
  Command command = program.add_command(
      "plan", "memory of a CLIP training step by purpose, and the largest batch that fits");
  auto o = std::make_shared<PlanOptions>();
  command.add_option("--model", o->model, "preset or config file");
  add_precision_option(command, o->precision);
  command.add_option("--device", o->device, "that the step is planned for; it need not be there")
      .among({"auto", "cpu", "cuda"});
  command.add_option("-b,--batch-size", o->batch_size, "pairs of a step").check(kPositive);
  command.add_option("--micro-batch", o->micro_batch, "pairs at once; without it the whole batch")
      .check(kPositive);
  command.add_option("--memory", o->memory, "of the device, such as 80G: finds the largest batch");
  command.add_flag("--json", o->json, "one line of JSON instead of the table");
  command.callback([o] { plan(*o); });
}

}  // namespace laclip
