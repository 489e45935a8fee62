#include "kernels/cuda/gemm.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "kernels/core/cuda_runtime.h"
#include "kernels/cuda/column_sums.h"
#include "kernels/cuda/cublaslt.h"
#include "kernels/cuda/device/gemm_bf16.cuh"
#include "kernels/cuda/device/gemm_f32.cuh"
#include "kernels/cuda/gemm_way.h"
#include "kernels/ops/elementwise.h"

namespace laclip::cuda {
namespace {

// to += Σ parts, in order. A thread has four elements; count is not a multiple of 4 at the end only.
__global__ void gemm_add_parts_kernel(float* to, const float* parts, int splits, int64_t part,
                                      int64_t count, bool wide) {
  for (int64_t at = grid_index() * 4; at < count; at += grid_stride() * 4) {
    Pack<float> sum = load16(parts + at);
    for (int split = 1; split < splits; ++split) {
      const Pack<float> next = load16(parts + split * part + at);
#pragma unroll
      for (int e = 0; e < 4; ++e) sum[e] += next[e];
    }
    if (wide && at + 4 <= count) {
      Pack<float> total = load16(to + at);
#pragma unroll
      for (int e = 0; e < 4; ++e) total[e] += sum[e];
      store16(to + at, total);
      continue;
    }
#pragma unroll
    for (int e = 0; e < 4; ++e)
      if (at + e < count) to[at + e] += sum[e];
  }
}

int64_t round_up(int64_t count, int64_t unit) { return ceil_div(count, unit) * unit; }

bool aligned_operands(const Gemm& g, const GemmOperands& operands) {
  const int64_t width_a = g.a == Layout::plain ? g.k : g.m;
  const int64_t width_b = g.b == Layout::plain ? g.n : g.k;
  return dispatch_float(g.type, [&]<class T>(TypeTag<T>) {
    return packs<T>(width_a, static_cast<const T*>(operands.a)) &&
           packs<T>(width_b, static_cast<const T*>(operands.b));
  });
}

struct TileShape {
  GemmTile tile;
  int64_t m, n;
  double efficiency;  // of a processor full of such blocks, relative
};
constexpr TileShape kTileShapes[] = {{GemmTile::large, 128, 128, 1.0},
                                     {GemmTile::small, 64, 64, 0.7}};

// Calls body<Layout a, Layout b, Epilogue>().
template <class Body>
void dispatch_kind(const Gemm& g, Body&& body) {
  constexpr auto plain = Layout::plain, transposed = Layout::transposed;
  constexpr auto sum = Epilogue::sum;
  if (g.epilogue == Epilogue::activation)
    return body.template operator()<plain, transposed, Epilogue::activation>();
  if (g.epilogue == Epilogue::slope)
    return body.template operator()<plain, plain, Epilogue::slope>();
  if (g.a == plain)
    g.b == plain ? body.template operator()<plain, plain, sum>()
                 : body.template operator()<plain, transposed, sum>();
  else
    g.b == plain ? body.template operator()<transposed, plain, sum>()
                 : body.template operator()<transposed, transposed, sum>();
}

struct Work {  // of one launch
  Stream& stream;
  const Gemm& shape;
  const GemmOperands& operands;
  GemmOutput out;
  int64_t depth_per_part;
  bool aligned, wide;  // the operands; rows of c and of what lies beside it

  template <class Tile>
  dim3 blocks() const {
    return {unsigned(ceil_div(shape.m, Tile::kM) * ceil_div(shape.n, Tile::kN)),
            unsigned(ceil_div(std::max<int64_t>(shape.k, 1), depth_per_part))};
  }
  template <class Tile, Layout kA, Layout kB, Epilogue kEpilogue, bool kRowSums>
  void run_f32() const {
    const auto with = [&]<Store kStore>() {
      launch<gemm_f32_kernel<Tile, kA, kB, kEpilogue, kStore, kRowSums>>(
          stream,
          Grid{blocks<Tile>(), Tile::kThreads,
               int64_t(sizeof(typename FmaProduct<Tile, kA, kB>::Shared))},
          out, static_cast<const float*>(operands.a), static_cast<const float*>(operands.b),
          shape.k, depth_per_part, aligned);
    };
    if (wide && out.to_f32) return with.template operator()<Store::f32_packs>();
    with.template operator()<Store::elements>();
  }
  template <class Tile, Layout kA, Layout kB, Epilogue kEpilogue, bool kAligned, bool kRowSums>
  void run_bf16() const {
    const auto with = [&]<Store kStore>() {
      launch<gemm_bf16_kernel<Tile, kA, kB, kEpilogue, kStore, kAligned, kRowSums>>(
          stream,
          Grid{blocks<Tile>(), Tile::kThreads,
               int64_t(sizeof(typename TensorProduct<Tile, kA, kB>::Shared))},
          out, static_cast<const bf16*>(operands.a), static_cast<const bf16*>(operands.b), shape.k,
          depth_per_part);
    };
    // Only what occurs: row sums go with a result in f32, an activation and a slope with one in bf16.
    if constexpr (kAligned && kEpilogue == Epilogue::sum)
      if (wide && out.to_f32) return with.template operator()<Store::f32_packs>();
    if constexpr (kAligned && !kRowSums)
      if (wide && !out.to_f32) return with.template operator()<Store::bf16_packs>();
    with.template operator()<Store::elements>();
  }
};

void run(const Work& work, GemmTile tile) {
  const bool row_sums = work.operands.row_sums != nullptr;
  dispatch_kind(work.shape, [&]<Layout kA, Layout kB, Epilogue kEpilogue>() {
    constexpr bool kSummable = kA == Layout::transposed && kB == Layout::plain;
    const auto with_tile = [&]<class Tile, bool kAligned>() {
      if constexpr (kSummable)
        if (row_sums) return work.run_bf16<Tile, kA, kB, kEpilogue, kAligned, true>();
      work.run_bf16<Tile, kA, kB, kEpilogue, kAligned, false>();
    };
    const auto with_fma_tile = [&]<class Tile>() {
      if constexpr (kSummable)
        if (row_sums) return work.run_f32<Tile, kA, kB, kEpilogue, true>();
      work.run_f32<Tile, kA, kB, kEpilogue, false>();
    };
    if (work.shape.type == DType::f32)
      return tile == GemmTile::large ? with_fma_tile.template operator()<FmaTileLarge>()
                                     : with_fma_tile.template operator()<FmaTileSmall>();
    if (!work.aligned) return with_tile.template operator()<TensorTileSmall, false>();
    if (tile == GemmTile::large) return with_tile.template operator()<TensorTileLarge, true>();
    if constexpr (kA == Layout::plain)
      if (tile == GemmTile::skinny) return with_tile.template operator()<TensorTileSkinny, true>();
    with_tile.template operator()<TensorTileSmall, true>();
  });
}

// What gemm_algorithm() tells, without a text for each GEMM.
struct LastGemm {
  bool any = false;
  GemmPlan plan;
  GemmAlgorithm algorithm;
};
thread_local LastGemm last_gemm;

std::string_view name_of(GemmTile tile) {
  return tile == GemmTile::skinny ? "16x32" : tile == GemmTile::small ? "64x64" : "128x128";
}

void add_parts(Stream& stream, float* to, const float* parts, int splits, int64_t part,
               int64_t count) {
  launch<gemm_add_parts_kernel>(stream, grid_of(ceil_div(count, 4)), to, parts, splits, part, count,
                                packs<float>(4, to));
}

bool tile_is_possible(const Gemm& g, const GemmOperands& operands, GemmTile tile) {
  const bool tensor = g.type == DType::bf16;
  if (tile == GemmTile::skinny && (!tensor || g.a != Layout::plain || operands.row_sums))
    return false;
  return tile == GemmTile::small || !tensor || aligned_operands(g, operands);
}

}  // namespace

// Up to 16 rows the memory that holds b is the limit, which many slim tiles use best. Otherwise the
// plan of the least cost: a block's K, plus what begin and end of a tile cost (as much as 256 of K)
// and what a part costs that is written and read again (as much as 768 more, on an H100), times the
// work of a processor, which needs 1.5 blocks at once to be busy. Only sums into a gradient are
// split: a row of an activation keeps its bits in every batch. The number of processors is an
// H100's on every GPU, so that K is divided, and a gradient rounded, alike on all of them.
GemmPlan plan_gemm(const Gemm& g, const GemmOperands& operands) {
  constexpr double kPartitionProcessors = 132, kBusy = 1.5, kTileCost = 256, kPartCost = 768;
  constexpr int64_t kUnit = 64, kMostSplits = 64;
  if (g.m <= TensorTileSkinny::kM && tile_is_possible(g, operands, GemmTile::skinny))
    return {GemmTile::skinny, 1};
  GemmPlan best;
  double least = INFINITY;
  for (const TileShape& shape : kTileShapes) {
    if (!tile_is_possible(g, operands, shape.tile)) continue;
    const int64_t tiles = ceil_div(g.m, shape.m) * ceil_div(g.n, shape.n);
    const int64_t most = g.accumulate ? std::clamp<int64_t>(g.k / kUnit, 1, kMostSplits) : 1;
    for (int64_t splits = 1; splits <= most; ++splits) {
      const double blocks = std::ceil(double(tiles * splits) / kPartitionProcessors);
      const double cost = double(ceil_div(g.k, splits)) + kTileCost + (splits > 1 ? kPartCost : 0);
      const double total =
          std::max(blocks, kBusy) * cost * double(shape.m * shape.n) / shape.efficiency;
      if (total < least) {
        least = total;
        best = {shape.tile, int(splits)};
      }
    }
  }
  return best;
}

void gemm_as(Stream& stream, const Gemm& g, const GemmOperands& operands, GemmPlan plan) {
  check(!g.accumulate || g.c_type == DType::f32, "gemm: sums are accumulated in f32");
  check(!operands.row_sums || (g.a == Layout::transposed && g.b == Layout::plain),
        "gemm: row sums are of a transposed a and a plain b");
  check(!operands.row_sums || g.c_type == DType::f32, "gemm: row sums go with a c in f32");
  check(tile_is_possible(g, operands, plan.tile), "gemm: this tile cannot make this product");
  check(g.epilogue == Epilogue::sum ||
            (!g.accumulate && g.a == Layout::plain &&
             (g.b == Layout::transposed) == (g.epilogue == Epilogue::activation)),
        "gemm: an activation goes with a plain product");
  const void* beside = g.epilogue == Epilogue::slope ? operands.u : operands.skip;
  check(g.c_type == g.type || (g.epilogue == Epilogue::sum && !beside),
        "gemm: c is of another type than what lies beside it");
  check(g.epilogue != Epilogue::slope || beside, "gemm: a slope without u");
  check(g.epilogue == Epilogue::activation || !operands.kept, "gemm: nothing but u is kept");
  if (g.m == 0 || g.n == 0) return;
  last_gemm = {true, plan, {}};
  constexpr int64_t kUnit = 64;  // parts of K begin at whole steps of every kernel
  const int64_t depth_per_part = round_up(std::max<int64_t>(ceil_div(g.k, plan.splits), 1), kUnit);
  const auto splits = int(std::max<int64_t>(ceil_div(g.k, depth_per_part), 1));
  const auto begins_wide = [](const void* at) { return reinterpret_cast<uintptr_t>(at) % 16 == 0; };
  const bool wide = g.n % 8 == 0;
  const Work whole{stream,
                   g,
                   operands,
                   {.c = operands.c,
                    .bias = operands.bias,
                    .beside = beside,
                    .kept = operands.kept,
                    .row_sums = operands.row_sums,
                    .m = g.m,
                    .n = g.n,
                    .part = 0,
                    .to_f32 = g.c_type == DType::f32,
                    .accumulate = g.accumulate,
                    .quick = g.kind == Activation::quick_gelu},
                   depth_per_part,
                   aligned_operands(g, operands),
                   wide && begins_wide(operands.c) && begins_wide(beside) &&
                       begins_wide(operands.kept)};
  if (splits == 1) return run(whole, plan.tile);
  check(g.accumulate && !operands.bias && !beside, "gemm: only accumulated sums are split");
  // A part is c, then the row sums; it begins at a multiple of 16 bytes.
  const int64_t in_c = round_up(g.m * g.n, 4), part = in_c + round_up(g.m, 4);
  float* parts = stream.workspace().reserve<float>(splits * part);
  Work parted = whole;
  parted.out.c = parts;
  parted.out.row_sums = operands.row_sums ? parts + in_c : nullptr;
  parted.out.part = part;
  parted.out.accumulate = false;
  parted.wide = wide;
  run(parted, plan.tile);
  add_parts(stream, static_cast<float*>(operands.c), parts, splits, part, g.m * g.n);
  if (operands.row_sums) add_parts(stream, operands.row_sums, parts + in_c, splits, part, g.m);
}

namespace {

// What the library is given of a GEMM. Its row sums are beside the workspace, where they come
// along.
struct LibraryPart {
  GemmOperands operands;
  std::byte* workspace;
};

// The library takes nothing of what it refuses: after an Error the operands are as they were.
LibraryPart begin_by_library(Stream& stream, const Gemm& g, const GemmOperands& operands,
                             const GemmAlgorithm& algorithm) {
  GemmOperands sum = operands;
  sum.row_sums = nullptr;
  if (operands.kept) sum.c = operands.kept;
  const bool sums_come_along =
      operands.row_sums && algorithm.maker == GemmAlgorithm::Maker::library;
  std::byte* workspace = stream.workspace().reserve_bytes(
      kCublasltWorkspace + (sums_come_along ? 4 * round_up(g.m, 4) : 0));
  if (sums_come_along) sum.row_sums = reinterpret_cast<float*>(workspace + kCublasltWorkspace);
  cublaslt_gemm(stream, g, sum, algorithm.of_library, workspace);
  last_gemm = {true, {}, algorithm};
  return {sum, workspace};
}

void finish_by_library(Stream& stream, const Gemm& g, const GemmOperands& operands,
                       const LibraryPart& part) {
  const GemmOperands& sum = part.operands;
  if (operands.row_sums) {
    if (!g.accumulate) fill(stream, Tensor{operands.row_sums, {g.m}, DType::f32, Device::cuda}, 0);
    if (sum.row_sums)
      add_parts(stream, operands.row_sums, sum.row_sums, 1, 0, g.m);
    else
      add_column_sums(stream, operands.row_sums, operands.a, {g.k, g.m}, g.type,
                      reinterpret_cast<float*>(part.workspace), kCublasltWorkspace);
  }
  const auto flat = [&](const void* at) {
    return Tensor{const_cast<void*>(at), {g.m, g.n}, g.c_type, Device::cuda};
  };
  if (g.epilogue == Epilogue::activation)
    activation_forward(stream, flat(operands.c), flat(sum.c), g.kind);
  else if (g.epilogue == Epilogue::slope)
    activation_backward(stream, flat(operands.c), flat(operands.c), flat(operands.u), g.kind);
}

}  // namespace

void gemm_by(Stream& stream, const Gemm& g, const GemmOperands& operands,
             const GemmAlgorithm& algorithm) {
  if (algorithm.maker == GemmAlgorithm::Maker::built_in)
    return gemm_as(stream, g, operands, plan_gemm(g, operands));
  finish_by_library(stream, g, operands, begin_by_library(stream, g, operands, algorithm));
}

void gemm(Stream& stream, const Gemm& g, const GemmOperands& operands) {
  std::optional<LibraryPart> part;  // none: the built-in kernels make all of it
  if (!stream.batch_invariant) {
    try {
      const GemmAlgorithm algorithm = autotuned(stream, g, operands);
      if (algorithm.maker != GemmAlgorithm::Maker::built_in)
        part = begin_by_library(stream, g, operands, algorithm);
    } catch (const Error& error) {
      cuda_forget_error();
      refuse_library(g, operands, error);
    }
  }
  // Not in the try: after an error here c may have the product already, and a second one would be
  // added to it.
  part ? finish_by_library(stream, g, operands, *part)
       : gemm_as(stream, g, operands, plan_gemm(g, operands));
}

std::string gemm_algorithm() {
  const LastGemm& last = last_gemm;
  if (!last.any) return "";
  if (last.algorithm.maker != GemmAlgorithm::Maker::built_in) return description(last.algorithm);
  const std::string_view tile = name_of(last.plan.tile);
  return last.plan.splits > 1 ? fmt::format("built-in {} in {} parts of K", tile, last.plan.splits)
                              : fmt::format("built-in {}", tile);
}

}  // namespace laclip::cuda
