// The backward kernels. Two passes over the same products, so that each sum has one owner and a fixed
// order:
//
//   owner of      passes over      s = own·passing₁   dp = own'·passing₂    sums up
//   queries q dy  keys k v         q·k                dy·v                  dq += ds k
//   keys    k v   queries q dy     k·q                v·dy                  dk += ds q, dv += p dy
//
// Both are one kernel with another Side. Owners of keys take the queries of all heads that share
// them, head after head. δ comes first, from a kernel of its own.
// Each pass reads its own rows once and the passing ones once a tile of its own, mostly from L2.
#include <bit>

#include "kernels/cuda/device/attention_pass.cuh"
#include "kernels/cuda/device/attention_plain.cuh"
#include "kernels/cuda/device/attention_tensor_core.cuh"

namespace laclip::cuda {
namespace {

// δ[N H] = the sum of dy y over a head: `lanes` lanes of a warp, a power of two, for each.
// Reads dy and y once.
template <class T>
__global__ void delta_kernel(float* delta, const T* dy, const T* y, int64_t count, int D, int lanes,
                             bool packed) {
  const int64_t i = grid_index() / lanes;
  const int lane = lane_of_thread() % lanes;
  float sum = 0;
  if (i < count) {
    const T *a = dy + i * D, *b = y + i * D;
    if (packed) {
      for (int d = lane * kPackSize<T>; d < D; d += lanes * kPackSize<T>) {
        const Pack<T> pa = load16(a + d), pb = load16(b + d);
#pragma unroll
        for (int k = 0; k < kPackSize<T>; ++k) sum = fmaf(float(pa[k]), float(pb[k]), sum);
      }
    } else {
      for (int d = lane; d < D; d += lanes) sum = fmaf(float(a[d]), float(b[d]), sum);
    }
  }
  for (int bits = lanes / 2; bits > 0; bits /= 2) sum += __shfl_xor_sync(kFullWarp, sum, bits);
  if (i < count && lane == 0) delta[i] = sum;
}

template <class T>
void compute_delta(Stream& stream, float* delta, const T* dy, const T* y,
                   const AttentionGeometry& g) {
  const bool packed = packs<T>(g.D, dy, y);
  const int64_t items = packed ? g.D / kPackSize<T> : g.D, count = g.rows * g.heads;
  const int lanes = items >= kWarpSize ? kWarpSize : int(std::bit_ceil(uint64_t(items)));
  constexpr int kThreads = 256;
  launch<delta_kernel<T>>(stream,
                          {dim3(unsigned(ceil_div(count * lanes, kThreads))), dim3(kThreads)},
                          delta, dy, y, count, g.D, lanes, packed);
}

template <int kD>
struct BackwardShared {
  HeadTile<kD> own[2], passing[2][2];
  Statistics of_query[2][kTileRows];
};

template <int kD, Side kOwner>
__global__ void __launch_bounds__(kTileThreads, kD == 64 ? 3 : 1)
    attention_backward_kernel(bf16* dqkv, const bf16* dy, const bf16* qkv, const float* lse,
                              const float* delta, AttentionGeometry g, FaultSink fault) {
  constexpr bool kKept = kD <= 64;  // wider rows would not leave registers for the sums
  // What the registers hold of scores beside the sums, of which keys have two.
  constexpr int kStep = kD <= 64 && kOwner == Side::queries ? 32 : 16, kColumns = kStep / 8;
  auto& memory = shared<BackwardShared<kD>>();
  check_offsets(g, fault);
  const SequenceTile tile = tile_of_block<kTileRows>(g);
  if (tile.empty()) return;
  const Pass<bf16, kOwner> pass{g, tile, dy, qkv, kTileRows};
  const int T = tile.length, tiles = pass.tiles();

  const auto load = [&](HeadTile<kD>& to, HeadRows<const bf16> from, int begin) {
    load_tile<kTileThreads>(to, from.row(begin), from.stride, T - begin, g.D);
  };
  const auto load_passing = [&](int i) {
    load(memory.passing[i % 2][0], pass.passing_first(i), pass.first_row(i));
    load(memory.passing[i % 2][1], pass.passing_second(i), pass.first_row(i));
    cp_async_commit();
  };
  const auto passing_statistics = [&](int i) {
    return statistics_of(lse, delta, g, tile, pass.first_row(i) + int(threadIdx.x), pass.head(i));
  };
  load(memory.own[0], pass.own_first(), tile.begin);
  load(memory.own[1], pass.own_second(), tile.begin);
  load_passing(0);

  const int lane = lane_of_thread(), own = tile.begin + warp_of_thread() * 16;
  const float scale = g.scale * kLog2e;
  const bool loads_statistics = kOwner == Side::keys && threadIdx.x < kTileRows;
  Statistics of_own[2] = {};
  if constexpr (kOwner == Side::queries)
#pragma unroll
    for (int half = 0; half < 2; ++half)
      of_own[half] = statistics_of(lse, delta, g, tile, own + lane / 4 + 8 * half, int(blockIdx.y));
  if (loads_statistics) memory.of_query[0][threadIdx.x] = passing_statistics(0);

  const int own_rows = warp_of_thread() * 16;
  // Owners of 64-wide keys read the second again, so that three blocks share a multiprocessor.
  constexpr bool kSecondKept = kKept && !(kD == 64 && kOwner == Side::keys);
  OwnRows<kD, kKept> first(memory.own[0], own_rows);
  OwnRows<kD, kSecondKept> second(memory.own[1], own_rows);
  float dfirst[kD / 8][4] = {}, dsecond[kOwner == Side::keys ? kD / 8 : 1][4] = {};
  // The kStep passing rows from `step` on of tile i, which lies in a buffer.
  const auto pass_step = [&]<bool kMasked>(int i, int step) {
    const auto& passing = memory.passing[i % 2];
    const int row = pass.first_row(i) + step;
    float s[kColumns][4], dp[kColumns][4];
    multiply(s, first, passing[0], step);
    multiply(dp, second, passing[1], step);
#pragma unroll
    for (int n = 0; n < kColumns; ++n)
#pragma unroll
      for (int c = 0; c < 4; ++c) {
        const int column = n * 8 + lane % 4 * 2 + c % 2, half = c / 2;
        const Statistics of =
            kOwner == Side::keys ? memory.of_query[i % 2][step + column] : of_own[half];
        if constexpr (kMasked)
          differentiate(s[n][c], dp[n][c], of, scale,
                        pass.meet(own + lane / 4 + 8 * half, row + column));
        else
          differentiate(s[n][c], dp[n][c], of, scale);
      }
    accumulate<2>(dfirst, dp, passing[0], step);
    if constexpr (kOwner == Side::keys) accumulate<2>(dsecond, s, passing[1], step);
  };
  for (int i = 0; i < tiles; ++i) {
    cp_async_wait<0>();
    __syncthreads();  // all parts of this tile are there, and the other buffers are read
    if (i == 0) {
      first.load();
      second.load();
    }
    Statistics next{};
    const bool more = i + 1 < tiles;
    if (more) load_passing(i + 1);
    if (more && loads_statistics) next = passing_statistics(i + 1);
#pragma unroll 1
    for (int step = 0; step < kTileRows; step += kStep) {
      const int row = pass.first_row(i) + step, behind = row + kStep;
      // A warp skips what none of its rows meets.
      if (own >= T || row >= T) break;
      if (g.causal && (kOwner == Side::queries ? row > own + 15 : behind <= own)) continue;
      const bool all =
          behind <= T &&
          (!g.causal || (kOwner == Side::queries ? behind <= own + 1 : row >= own + 15));
      all ? pass_step.template operator()<false>(i, step)
          : pass_step.template operator()<true>(i, step);
    }
    if (more && loads_statistics) memory.of_query[(i + 1) % 2][threadIdx.x] = next;
  }

  if (own >= T) return;
  const int rows = T - tile.begin, head = int(blockIdx.y);
  bf16* to = dqkv + (tile.first + tile.begin) * g.row_width();
  const float by_scale[2] = {g.scale, g.scale}, as_it_is[2] = {1, 1};
  if constexpr (kOwner == Side::queries) {
    store_rows(to + g.query_column(head), g.row_width(), dfirst, by_scale, memory.own[0], rows,
               g.D);
  } else {
    store_rows(to + g.key_column(head), g.row_width(), dfirst, by_scale, memory.own[0], rows, g.D);
    store_rows(to + g.value_column(head), g.row_width(), dsecond, as_it_is, memory.own[1], rows,
               g.D);
  }
}

template <int kSlice>
struct PlainBackwardShared {
  PlainTile<kSlice> own[2], passing[2];
  PlainWeights weights;
};

template <class T, int kSlice, Side kOwner>
__global__ void __launch_bounds__(kPlainThreads)
    attention_plain_backward_kernel(T* dqkv, const T* dy, const T* qkv, const float* lse,
                                    const float* delta, AttentionGeometry g, bool packed,
                                    FaultSink fault) {
  auto& memory = shared<PlainBackwardShared<kSlice>>();
  check_offsets(g, fault);
  const SequenceTile tile = tile_of_block<kPlainRows>(g);
  if (tile.empty()) return;
  const Pass<T, kOwner> pass{g, tile, dy, qkv, kPlainRows};
  const int slices = int(gridDim.z), out_slice = int(blockIdx.z), out_column = out_slice * kSlice;
  const int lane = lane_of_thread(), own = tile.begin + warp_of_thread() * kPlainOwn;
  const float scale = g.scale * kLog2e;

  float dfirst[kPlainOwn][kSlice / kWarpSize] = {}, dsecond[kPlainOwn][kSlice / kWarpSize] = {};
  for (int i = 0; i < pass.tiles(); ++i) {
    const int row = pass.first_row(i);
    float s[kPlainOwn] = {}, dp[kPlainOwn] = {};
    for (int k = 1; k <= slices; ++k) {
      const int column = (out_slice + k) % slices * kSlice;  // ends with the slice of the output
      const auto load = [&](PlainTile<kSlice>& to, HeadRows<const T> from, int begin) {
        load_plain(to, from.row(begin) + column, from.stride, tile.length - begin, g.D - column,
                   packed);
      };
      __syncthreads();  // the tiles of before are read
      if (slices > 1 || i == 0) {
        load(memory.own[0], pass.own_first(), tile.begin);
        load(memory.own[1], pass.own_second(), tile.begin);
      }
      load(memory.passing[0], pass.passing_first(i), row);
      load(memory.passing[1], pass.passing_second(i), row);
      __syncthreads();  // the tiles are there
      multiply(s, memory.own[0], memory.passing[0]);
      multiply(dp, memory.own[1], memory.passing[1]);
    }
#pragma unroll
    for (int r = 0; r < kPlainOwn; ++r) {
      const int query = kOwner == Side::keys ? row + lane : own + r;
      differentiate(s[r], dp[r], statistics_of(lse, delta, g, tile, query, pass.head(i)), scale,
                    pass.meet(own + r, row + lane));
    }
    accumulate(dfirst, dp, memory.weights, memory.passing[0]);
    if constexpr (kOwner == Side::keys) accumulate(dsecond, s, memory.weights, memory.passing[1]);
  }

  const int rows = tile.length - tile.begin, columns = g.D - out_column, head = int(blockIdx.y);
  T* to = dqkv + (tile.first + tile.begin) * g.row_width() + out_column;
  float by_scale[kPlainOwn], as_it_is[kPlainOwn];
#pragma unroll
  for (int r = 0; r < kPlainOwn; ++r) {
    by_scale[r] = g.scale;
    as_it_is[r] = 1;
  }
  if constexpr (kOwner == Side::queries) {
    store_plain<kSlice>(to + g.query_column(head), g.row_width(), dfirst, by_scale, rows, columns);
  } else {
    store_plain<kSlice>(to + g.key_column(head), g.row_width(), dfirst, by_scale, rows, columns);
    store_plain<kSlice>(to + g.value_column(head), g.row_width(), dsecond, as_it_is, rows, columns);
  }
}

}  // namespace

void attention_backward(Stream& stream, Out dqkv, In dy, In qkv, In y, In lse, In offsets,
                        AttentionOptions o) {
  const AttentionGeometry g =
      attention_geometry("attention_backward", qkv, offsets, lse[1], y[1], o);
  if (g.sequences == 0) return;
  float* delta = stream.scratch().reserve<float>(g.rows * g.heads);
  const auto for_both_sides = [&](auto&& body) {
    body(std::integral_constant<Side, Side::queries>{}, unsigned(g.heads));
    body(std::integral_constant<Side, Side::keys>{}, unsigned(g.key_heads));
  };
  dispatch_float(dqkv.dtype, [&]<class T>(TypeTag<T>) {
    compute_delta(stream, delta, dy.as<T>(), y.as<T>(), g);
  });
  if (fits_tensor_cores(g, dqkv.dtype, dqkv.data, dy.tensor().data, qkv.tensor().data)) {
    dispatch_head_tile(g.D, [&]<int kD>(std::integral_constant<int, kD>) {
      for_both_sides([&]<Side kOwner>(std::integral_constant<Side, kOwner>, unsigned heads) {
        launch<attention_backward_kernel<kD, kOwner>>(stream,
                                                      {dim3(unsigned(tiles_at_most(g, kTileRows)),
                                                            heads),
                                                       kTileThreads, sizeof(BackwardShared<kD>)},
                                                      dqkv.as<bf16>(), dy.as<bf16>(),
                                                      qkv.as<bf16>(), lse.as<float>(), delta, g,
                                                      stream.fault());
      });
    });
    return;
  }
  dispatch_float(dqkv.dtype, [&]<class T>(TypeTag<T>) {
    const bool packed = packs<T>(g.D, qkv.as<T>(), dy.as<T>());
    dispatch_slice(g.D, [&]<int kSlice>(std::integral_constant<int, kSlice>) {
      for_both_sides([&]<Side kOwner>(std::integral_constant<Side, kOwner>, unsigned heads) {
        launch<attention_plain_backward_kernel<T, kSlice, kOwner>>(
            stream,
            {dim3(unsigned(tiles_at_most(g, kPlainRows)), heads, unsigned(ceil_div(g.D, kSlice))),
             kPlainThreads, sizeof(PlainBackwardShared<kSlice>)},
            dqkv.as<T>(), dy.as<T>(), qkv.as<T>(), lse.as<float>(), delta, g, packed,
            stream.fault());
      });
    });
  });
}

}  // namespace laclip::cuda
