// The forward kernels: one for tensor cores (bf16), one in plain fp32 arithmetic for everything else.
// A block owns a tile of queries of one head and passes over the tiles of keys it sees, with the
// softmax kept up to date as (largest score, sum, weighted values) of each row.
// Reads a query once and writes y once; keys and values are read once a tile of queries, mostly
// from L2.
#include "kernels/cuda/device/attention_geometry.cuh"
#include "kernels/cuda/device/attention_plain.cuh"
#include "kernels/cuda/device/attention_tensor_core.cuh"

namespace laclip::cuda {
namespace {

template <int kD>
struct ForwardShared {
  HeadTile<kD> q, k[2], v[2];
};

template <int kD>
__global__ void __launch_bounds__(kTileThreads, kD <= 64 ? 3 : 2)
    attention_forward_kernel(bf16* y, float* lse, const bf16* qkv, AttentionGeometry g,
                             FaultSink fault) {
  auto& memory = shared<ForwardShared<kD>>();
  check_offsets(g, fault);
  const SequenceTile tile = tile_of_block<kTileRows>(g);
  if (tile.empty()) return;
  const int head = int(blockIdx.y), key_head = head / g.group(), T = tile.length;
  const int64_t stride = g.row_width();
  const bf16* rows = qkv + tile.first * stride;
  const int end = g.causal ? min(tile.begin + kTileRows, T) : T;  // of the keys

  const auto load_keys = [&](int begin, int buffer) {
    const bf16* from = rows + begin * stride;
    load_tile<kTileThreads>(memory.k[buffer], from + g.key_column(key_head), stride, T - begin,
                            g.D);
    load_tile<kTileThreads>(memory.v[buffer], from + g.value_column(key_head), stride, T - begin,
                            g.D);
    cp_async_commit();
  };
  load_tile<kTileThreads>(memory.q, rows + tile.begin * stride + g.query_column(head), stride,
                          T - tile.begin, g.D);
  load_keys(0, 0);

  const int lane = lane_of_thread(), own = tile.begin + warp_of_thread() * 16;
  const float scale = g.scale * kLog2e;
  // Queries of 64 are read again for every product, so that three blocks share a multiprocessor.
  OwnRows<kD, (kD != 64)> q(memory.q, warp_of_thread() * 16);
  RunningSoftmax softmax;
  float out[kD / 8][4] = {};
  // The first 8 kColumns keys of a tile.
  const auto pass = [&]<int kColumns, bool kMasked>(int begin, int buffer) {
    float s[kColumns][4], factor[2];
    multiply(s, q, memory.k[buffer], 0);
    if constexpr (kMasked) {
#pragma unroll
      for (int n = 0; n < kColumns; ++n)
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const int key = begin + n * 8 + lane % 4 * 2 + i % 2, query = own + lane / 4 + i / 2 * 8;
          if (key >= T || (g.causal && key > query)) s[n][i] = -INFINITY;
        }
    }
    softmax.update(s, scale, factor);  // every row sees key 0: its largest score is finite
#pragma unroll
    for (int n = 0; n < kD / 8; ++n)
#pragma unroll
      for (int i = 0; i < 4; ++i) out[n][i] *= factor[i / 2];
    accumulate<1>(out, s, memory.v[buffer], 0);
  };
  for (int begin = 0, buffer = 0; begin < end; begin += kTileRows, buffer ^= 1) {
    cp_async_wait<0>();
    __syncthreads();  // all parts of this tile are there, and the other buffer is read
    if (begin == 0) q.load();
    if (begin + kTileRows < end) load_keys(begin + kTileRows, buffer ^ 1);
    if (own >= T) continue;  // a warp without rows only helps to load
    // The keys of the tile that a row of the warp sees, and whether all its rows see all of them.
    const int seen = (g.causal ? min(own + 16, T) : T) - begin;
    const bool all = begin + kTileRows <= (g.causal ? min(own + 1, T) : T);
    if (all)
      pass.template operator()<kTileRows / 8, false>(begin, buffer);
    else if (kD > 64 || seen > kTileRows / 2)  // wider heads have no registers for a third form
      pass.template operator()<kTileRows / 8, true>(begin, buffer);
    else if constexpr (kD <= 64)
      pass.template operator()<kTileRows / 16, true>(begin, buffer);
  }

  if (own >= T) return;
  float inverse[2];
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const float sum = quad_sum(softmax.sum[half]);
    const int row = own + lane / 4 + 8 * half;
    inverse[half] = 1.0f / sum;
    if (lane % 4 == 0 && row < T)
      lse[(tile.first + row) * g.heads + head] = (softmax.largest[half] + log2f(sum)) * kLn2;
  }
  bf16* to = y + (tile.first + tile.begin) * g.out_width() + head * g.D;
  store_rows(to, g.out_width(), out, inverse, memory.q, T - tile.begin, g.D);
}

template <int kSlice>
struct PlainForwardShared {
  PlainTile<kSlice> q, k, v;
  PlainWeights weights;
};

template <class T, int kSlice>
__global__ void __launch_bounds__(kPlainThreads)
    attention_plain_forward_kernel(T* y, float* lse, const T* qkv, AttentionGeometry g, bool packed,
                                   FaultSink fault) {
  auto& memory = shared<PlainForwardShared<kSlice>>();
  check_offsets(g, fault);
  const SequenceTile tile = tile_of_block<kPlainRows>(g);
  if (tile.empty()) return;
  const int head = int(blockIdx.y), key_head = head / g.group();
  const int64_t stride = g.row_width();
  const T* rows = qkv + tile.first * stride;
  const int end = g.causal ? min(tile.begin + kPlainRows, tile.length) : tile.length;
  const int slices = int(gridDim.z), out_column = int(blockIdx.z) * kSlice;

  const int lane = lane_of_thread(), own = tile.begin + warp_of_thread() * kPlainOwn;
  const float scale = g.scale * kLog2e;
  float out[kPlainOwn][kSlice / kWarpSize] = {}, largest[kPlainOwn], sum[kPlainOwn] = {};
#pragma unroll
  for (int r = 0; r < kPlainOwn; ++r) largest[r] = -INFINITY;
  for (int begin = 0; begin < end; begin += kPlainRows) {
    const T* keys = rows + begin * stride;
    float s[kPlainOwn] = {};
    for (int slice = 0; slice < slices; ++slice) {
      const int column = slice * kSlice, columns = g.D - column;
      __syncthreads();  // the tiles of before are read
      if (slices > 1 || begin == 0)
        load_plain(memory.q, rows + tile.begin * stride + g.query_column(head) + column, stride,
                   tile.length - tile.begin, columns, packed);
      load_plain(memory.k, keys + g.key_column(key_head) + column, stride, tile.length - begin,
                 columns, packed);
      if (slice == 0)
        load_plain(memory.v, keys + g.value_column(key_head) + out_column, stride,
                   tile.length - begin, g.D - out_column, packed);
      __syncthreads();  // the tiles are there
      multiply(s, memory.q, memory.k);
    }
    const int key = begin + lane;
#pragma unroll
    for (int r = 0; r < kPlainOwn; ++r) {
      const bool sees = key < tile.length && (!g.causal || key <= own + r);
      const float score = sees ? s[r] : -INFINITY;
      // Every row sees key 0: from the first tile on its largest score is finite.
      const float most = fmaxf(largest[r], warp_max(score) * scale);
      const float factor = exp2_approximately(largest[r] - most);
      largest[r] = most;
      s[r] = exp2_approximately(fmaf(score, scale, -most));
      sum[r] = sum[r] * factor + s[r];
#pragma unroll
      for (int c = 0; c < kSlice / kWarpSize; ++c) out[r][c] *= factor;
    }
    accumulate(out, s, memory.weights, memory.v);
  }

#pragma unroll
  for (int r = 0; r < kPlainOwn; ++r) {
    const float all = warp_sum(sum[r]);
    if (lane == 0 && blockIdx.z == 0 && own + r < tile.length)
      lse[(tile.first + own + r) * g.heads + head] = (largest[r] + log2f(all)) * kLn2;
    sum[r] = 1.0f / all;
  }
  T* to = y + (tile.first + tile.begin) * g.out_width() + head * g.D + out_column;
  store_plain<kSlice>(to, g.out_width(), out, sum, tile.length - tile.begin, g.D - out_column);
}

}  // namespace

void attention_forward(Stream& stream, Out y, Out lse, In qkv, In offsets, AttentionOptions o) {
  const AttentionGeometry g =
      attention_geometry("attention_forward", qkv, offsets, lse[1], y[1], o);
  if (g.sequences == 0) return;
  if (fits_tensor_cores(g, y.dtype, y.data, qkv.tensor().data)) {
    dispatch_head_tile(g.D, [&]<int kD>(std::integral_constant<int, kD>) {
      launch<attention_forward_kernel<kD>>(stream,
                                           {dim3(unsigned(tiles_at_most(g, kTileRows)),
                                                 unsigned(g.heads)),
                                            kTileThreads, sizeof(ForwardShared<kD>)},
                                           y.as<bf16>(), lse.as<float>(), qkv.as<bf16>(), g,
                                           stream.fault());
    });
    return;
  }
  dispatch_float(y.dtype, [&]<class T>(TypeTag<T>) {
    const bool packed = packs<T>(g.D, qkv.as<T>());
    dispatch_slice(g.D, [&]<int kSlice>(std::integral_constant<int, kSlice>) {
      launch<attention_plain_forward_kernel<T, kSlice>>(
          stream,
          {dim3(unsigned(tiles_at_most(g, kPlainRows)), unsigned(g.heads),
                unsigned(ceil_div(g.D, kSlice))),
           kPlainThreads, sizeof(PlainForwardShared<kSlice>)},
          y.as<T>(), lse.as<float>(), qkv.as<T>(), g, packed, stream.fault());
    });
  });
}

}  // namespace laclip::cuda
