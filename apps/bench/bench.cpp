// laclip bench: speed of a CLIP training step, of rewriting and of single ops, as fractions of the ceilings
// measured in the same run.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <vector>

#include "apps/bench/ceilings.h"
#include "apps/bench/decode_bench.h"
#include "apps/bench/op_bench.h"
#include "apps/bench/rows.h"
#include "apps/bench/step_bench.h"
#include "apps/command.h"
#include "apps/device.h"
#include "base/check.h"
#include "kernels/core/cuda_runtime.h"
#include "kernels/core/memory.h"
#include "kernels/core/stream.h"
#include "kernels/cuda/cublaslt.h"
#include "kernels/ops/elementwise.h"

namespace laclip {
namespace {

struct BenchOptions {
  std::string what = "all", precision = "auto", device = "auto", output, only;
  double scale = 1;
  int repeats = 5;
  bool profile = false, list = false, small = false;
  StepBenchOptions step;
  DecodeBenchOptions decode;
};

class Bench {
 public:
  explicit Bench(const BenchOptions& o)
      : o_(o),
        device_(parse_device(o.device)),
        rows_(o.only, o.list, o.output, o.list ? Json::object() : everywhere(device_)) {}

  void run() {
    if (o_.what == "device") device();
    if (o_.what == "ops" || o_.what == "gpu") ops();
    if (o_.what == "all" || o_.what == "ceilings") ceilings();
    if (o_.what == "all" || o_.what == "step") step(step_options(), o_.profile);
    if (o_.what == "all" || o_.what == "decode") decode(decode_options());
    if (o_.what == "gpu") gpu();
    rows_.finish();
  }

 private:
  static Json everywhere(Device device) {
    const std::string library = device == Device::cuda ? cuda::cublaslt_name() : "";
    return library.empty() ? Json::object() : Json{{"library", library}};
  }

  void ops() {
    OpBenchOptions ops{.device = device_, .scale = scale(), .repeats = o_.repeats};
    if (o_.small) ops.width = 64, ops.repeats = 1;
    const double product = bench_ops(ops, rows_);
    if (device_ == Device::cuda) peaks_[DType::bf16] = product;  // what peak() would measure again
  }
  double scale() const { return o_.small ? 1e-6 : o_.scale; }

  StepBenchOptions step_options() const {
    StepBenchOptions step = o_.step;
    step.precision = parse_precision(o_.precision);
    step.device = device_;
    step.repeats = o_.repeats;
    return step;
  }
  DecodeBenchOptions decode_options() const {
    DecodeBenchOptions decode = o_.decode;
    decode.device = device_;
    decode.repeats = o_.repeats;
    return decode;
  }

  // Of GEMMs, on the device that is measured; once.
  double peak(DType type) {
    double& peak = peaks_[type];
    if (peak > 0) return peak;
    if (device_ == Device::cpu) return peak = peak_gflops(type);
    return peak = product_gflops(device_, std::max<int64_t>(16, int64_t(8192 * std::cbrt(scale()))),
                                 type);
  }

  void device() {
    rows_.measure("device", [&]() -> Json {
      if (device_ == Device::cpu) return {{"bench", "device"}, {"device", "cpu"}};
      const CudaMemory memory = cuda_memory();
      check_launch();
      return {{"bench", "device"},
              {"device", cuda_device_name()},
              {"compute_capability", cuda_capability()},
              {"pci_bus", cuda_pci_bus()},
              {"memory", memory.total},
              {"memory_free", memory.free},
              {"library", cuda::cublaslt_name()}};  // also if there is none
    });
  }
  // A program for another kind of GPU has no kernel for this one.
  void check_launch() {
    const Buffer memory("a first kernel", 4, device_);
    float value = 0;
    try {
      Stream stream(device_);
      fill(stream, memory.tensor({1}, DType::f32), 1);
      stream.synchronize();
      cuda_read(&value, memory.data(), 4);
    } catch (const Error& error) {
      fail("{}, of compute capability {}, runs no kernel of this program: {}", cuda_device_name(),
           cuda_capability(), error.what());
    }
    check(value == 1, "{}: a first kernel gave {} and not 1", cuda_device_name(), value);
  }
  void ceilings() {
    rows_.measure("ceilings", [] {
      return Json{{"bench", "ceilings"},
                  {"fp32_gflops", peak_gflops(DType::f32)},
                  {"bf16_gflops", peak_gflops(DType::bf16)},
                  {"read_gbs", read_bandwidth_gbs()}};
    });
  }
  void step(const StepBenchOptions& step, bool profile) {
    const std::string what = fmt::format("{} {} tokens", step.model, step.text_length);
    rows_.measure("step " + what, [&] { return bench_step(step, peak(step.precision)); });
    if (profile) rows_.measure("profile " + what, [&] { return profile_step(step); });
  }
  void decode(const DecodeBenchOptions& decode) {
    const bool shared = decode.prefixes == DecodeBenchOptions::Prefixes::shared;
    rows_.measure(fmt::format("rewriting {} slots{}", decode.slots, shared ? "" : " prefix-each"),
                  [&] { return bench_decode(decode, peak(DType::bf16)); });
  }

  // What scripts/gpu measures, at the sizes of the paper's main model and its LLaMA, or small ones.
  void gpu() {
    StepBenchOptions s = step_options();
    s.precision = DType::bf16;
    s.batch = o_.small ? 2 : 256;
    s.repeats = o_.small ? 1 : 10;
    const std::vector<std::string> models = o_.small
                                                ? std::vector<std::string>{"ViT-T-8-world"}
                                                : std::vector<std::string>{"ViT-B-16", "ViT-B-32"};
    for (const std::string& model : models)
      for (int length : {77, 22}) {
        s.model = model;
        s.text_length = o_.small ? length / 11 : length;
        step(s, length == 77 && model == models.front());
      }
    DecodeBenchOptions d = decode_options();
    d.repeats = o_.small ? 1 : 2;
    if (o_.small) d.prefix_tokens = 4, d.caption_tokens = 3, d.new_tokens = 4;
    d.slots = o_.small ? 2 : 256;  // as `laclip rewrite` by default, whose captions share prefixes
    d.captions = 8 * d.slots;
    decode(d);
    d.slots = o_.small ? 2 : 64;  // the worst case: a prefix per caption
    d.captions = 4 * d.slots;
    d.prefixes = DecodeBenchOptions::Prefixes::each;
    decode(d);
  }

  const BenchOptions& o_;
  Device device_;
  BenchRows rows_;
  std::map<DType, double> peaks_;
};

}  // namespace

void add_bench_command(Program& program) {
  Command command =
      program.add_command("bench",
                          "speed, as fractions of the machine's ceilings measured in the same run");
  auto o = std::make_shared<BenchOptions>();
  command
      .add_option(
          "what", o->what,
          "what to measure; `all`: ceilings, step and decode; `ops`: each op by itself; `gpu`: "
          "ops, steps and decoding at the sizes that scripts/gpu takes; `device`: its name")
      .among({"all", "ceilings", "ops", "step", "decode", "gpu", "device"});
  command.add_option("--only", o->only, "rows whose name matches this regular expression");
  command.add_flag("--list", o->list, "the names of the rows, without measuring them");
  command.add_option("--model", o->step.model, "CLIP of the training step");
  add_precision_option(command, o->precision, "of the training step");
  add_device_option(command, o->device);
  const auto count = [&](const char* flag, int& value, const char* help) {
    command.add_option(flag, value, help).check(kPositive);
  };
  count("-b,--batch-size", o->step.batch, "of the training step");
  count("--text-length", o->step.text_length, "tokens of a caption");
  command
      .add_option("--llama", o->decode.config,
                  "config.json of decoding; without it a LLaMA of 1.1B")
      .check(kExistingFile);
  count("--slots", o->decode.slots, "of decoding: texts at once");
  count("--captions", o->decode.captions, "that decoding rewrites; without it one for each slot");
  count("--prefix-tokens", o->decode.prefix_tokens, "of the examples before a caption");
  count("--caption-tokens", o->decode.caption_tokens, "of a caption");
  count("--new-tokens", o->decode.new_tokens, "of its rewrite");
  command.add_flag(
      "--prefix-each", [o] { o->decode.prefixes = DecodeBenchOptions::Prefixes::each; },
      "each caption has examples of its own, not all the same");
  count("--repeats", o->repeats, "repetitions; the median is reported");
  command.add_option("--scale", o->scale, "of the sizes that `ops` takes; 1 = ViT-B-16, batch 256")
      .check(kPositive);
  command.add_flag("--small", o->small, "`gpu` and `ops` with tiny sizes, to see that they run");
  command.add_flag("--profile", o->profile, "time of each op of the step");
  command.add_option("-o,--output", o->output,
                     "also write the JSON lines to this file, each when it is measured");
  command.callback([o] {
    o->precision = settled_precision(o->precision, parse_device(o->device));
    Bench(*o).run();
  });
}

}  // namespace laclip
