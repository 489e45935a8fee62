#include "apps/bench/op_bench.h"

#include <algorithm>
#include <cmath>

#include "apps/bench/median.h"
#include "apps/bench/op_rows.h"
#include "base/log.h"
#include "base/timer.h"
#include "kernels/cuda/gemm.h"
#include "kernels/ops/linear.h"

namespace laclip {
namespace {

// Calls on sets of operands that take turns, so many that no cache holds what the next call reads.
class Rotation {
 public:
  Rotation(Stream& stream, Noise& noise, const OpRow& row, double scale) : stream_(stream) {
    const auto enough = int64_t(std::min(scale, 1.0) * kBytes);
    do {
      sets_.emplace_back(stream, noise);
      calls_.push_back(row.make(sets_.back()));
    } while (
        int(sets_.size()) < kLeastSets ||
        (int(sets_.size()) < kMostSets && int64_t(sets_.size()) * sets_.front().size() < enough));
    for (const auto& call : calls_) call(stream_);  // working memory grows, GEMMs are timed
    stream_.synchronize();
  }
  double seconds(int calls) {  // of one
    stream_.synchronize();
    const Timer timer;
    for (int i = 0; i < calls; ++i) calls_[next_++ % calls_.size()](stream_);
    stream_.synchronize();
    return timer.seconds() / calls;
  }
  size_t sets() const { return sets_.size(); }

 private:
  static constexpr int kLeastSets = 3, kMostSets = 16;
  static constexpr double kBytes = 256 << 20;  // four times the largest L2 cache of a GPU

  Stream& stream_;
  std::deque<Operands> sets_;
  std::vector<OpRow::Call> calls_;
  size_t next_ = 0;
};

class OpBench {
 public:
  explicit OpBench(const OpBenchOptions& o) : o_(o), stream_(o.device), noise_(stream_) {}
  void run(BenchRows& rows) {
    rows.measure("ceilings", [&] { return ceilings(); });
    for (const OpRow& row : op_rows(o_.scale, o_.width))
      rows.measure(row.name(), [&] { return measured(row); });
  }
  double product(int64_t n, DType type);
  double product_gflops() const { return product_gflops_; }  // 0: not measured

 private:
  // The median over repeats of as many calls as take about 20 ms, so that launches overlap.
  double seconds_of(Rotation& calls) const {
    const int count = std::clamp(int(0.02 / std::max(calls.seconds(1), 1e-7)), 1, 200);
    std::vector<double> seconds;
    for (int i = 0; i < o_.repeats; ++i) seconds.push_back(calls.seconds(count));
    return median(std::move(seconds));
  }
  Json ceilings();
  Json measured(const OpRow& row);

  OpBenchOptions o_;
  Stream stream_;
  Noise noise_;
  double copy_gbs_ = 0, product_gflops_ = 0;
};

double OpBench::product(int64_t n, DType type) {
  OpRow row;
  row.make = [&](Operands& o) -> OpRow::Call {
    const auto matrix = [&] { return type == DType::f32 ? o.f32({n, n}) : o.bf16({n, n}); };
    const Tensor x = matrix(), w = matrix(), y = matrix();
    return [=](Stream& s) { linear_forward(s, y, x, w, none, none); };
  };
  Rotation calls(stream_, noise_, row, o_.scale);
  return 2 * std::pow(double(n), 3) / seconds_of(calls) / 1e9;
}

Json OpBench::ceilings() {
  const int64_t count = int64_t(double(1 << 27) * o_.scale) + 1;
  OpRow copies;
  copies.make = [&](Operands& o) -> OpRow::Call {
    const Tensor from = o.f32({count}), to = o.f32({count});
    return [=](Stream& s) { copy(s, to, from); };
  };
  {
    Rotation calls(stream_, noise_, copies, o_.scale);
    copy_gbs_ = 8 * double(count) / seconds_of(calls) / 1e9;
  }
  const int64_t n = std::max<int64_t>(16, int64_t(8192 * std::cbrt(o_.scale)));
  product_gflops_ = product(n, DType::bf16);
  log_info("copy {:.0f} GB/s; GEMM {}³ in bf16 {:.0f} GFLOP/s", copy_gbs_, n, product_gflops_);
  return {{"bench", "ceilings"},
          {"copy_gbs", copy_gbs_},
          {"product", n},
          {"product_gflops", product_gflops_},
          {"algorithm", cuda::gemm_algorithm()}};
}

Json OpBench::measured(const OpRow& r) {
  Rotation calls(stream_, noise_, r, o_.scale);
  const double seconds = seconds_of(calls);
  const double gbs = r.bytes / seconds / 1e9, gflops = r.flops / seconds / 1e9;
  Json row = {{"bench", "op"},      {"op", r.op},
              {"shape", r.shape},   {"precision", name_of(r.type)},
              {"seconds", seconds}, {"gbs", gbs},
              {"gflops", gflops},   {"sets", calls.sets()}};
  if (copy_gbs_ > 0) row["bandwidth_fraction"] = gbs / copy_gbs_;
  if (product_gflops_ > 0 && r.flops > 0 && r.type == DType::bf16)
    row["compute_fraction"] = gflops / product_gflops_;
  const bool gemm = r.op.find("linear_") != std::string::npos;
  if (gemm && o_.device == Device::cuda) {
    row["algorithm"] = cuda::gemm_algorithm();
    row["offered"] = cuda::gemm_offer().whole;
    row["offered_then_sums"] = cuda::gemm_offer().then_sums;
  }
  log_info(
      "{:28} {:28} {:5} {:10.1f} us  {:7.0f} GB/s ({:3.0f} %)  {:8.0f} GFLOP/s ({:3.0f} %)  {}",
      r.op, r.shape, name_of(r.type), 1e6 * seconds, gbs,
      copy_gbs_ > 0 ? 100 * gbs / copy_gbs_ : 0.0, gflops,
      product_gflops_ > 0 ? 100 * gflops / product_gflops_ : 0.0, row.value("algorithm", ""));
  return row;
}

}  // namespace

double bench_ops(const OpBenchOptions& options, BenchRows& rows) {
  OpBench bench(options);
  bench.run(rows);
  return bench.product_gflops();
}

double product_gflops(Device device, int64_t n, DType type) {
  return OpBench({.device = device, .repeats = 3}).product(n, type);
}

}  // namespace laclip
