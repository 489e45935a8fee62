// Speed of single ops at the sizes of CLIP and LLaMA, as fractions of the device's ceilings.
#pragma once

#include "apps/bench/rows.h"
#include "kernels/core/device.h"
#include "kernels/core/dtype.h"

namespace laclip {

struct OpBenchOptions {
  Device device = Device::cpu;
  double scale = 1;     // of the rows and parameters: 1 = those of ViT-B-16 at a batch of 256
  int64_t width = 768;  // of the image tower, in heads of 64
  int repeats = 5;      // the median counts
};

// A row for each op and shape: {"bench": "op", "op", "shape", "precision", "seconds", "gbs", "gflops",
// "sets", "bandwidth_fraction", "compute_fraction"}; of a GEMM on a GPU also "algorithm", and how
// many the library has offered: "offered", and "offered_then_sums" where a bias gradient is a pass
// of its own. The row "ceilings" comes first: a large copy, read and written bytes counted, and a
// GEMM of 8192³ (scaled); without it there are no fractions. Returns the rate of that GEMM, in 10⁹
// operations a second; 0 if it was not measured.
double bench_ops(const OpBenchOptions& options, BenchRows& rows);

// 10⁹ operations a second of a product n³ on the device.
double product_gflops(Device device, int64_t n, DType type);

}  // namespace laclip
