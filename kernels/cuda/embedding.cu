#include "kernels/ops/embedding.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "kernels/cuda/device/launch.cuh"
#include "kernels/cuda/device/reduce.cuh"
#include "kernels/cuda/device/vec.cuh"

namespace laclip::cuda {
namespace {

template <int W, class T>
__device__ void load_columns(float (&to)[W], const T* from) {
  if constexpr (W == 1) {
    to[0] = float(*from);
  } else {
#pragma unroll
    for (int part = 0; part < W; part += kPackSize<T>) {
      const Pack<T> pack = load16(from + part);
#pragma unroll
      for (int k = 0; k < kPackSize<T>; ++k) to[part + k] = float(pack[k]);
    }
  }
}
template <int W, class T>
__device__ void store_columns(T* to, const float (&from)[W]) {
  if constexpr (W == 1) {
    store(*to, from[0]);
  } else {
#pragma unroll
    for (int part = 0; part < W; part += kPackSize<T>) {
      Pack<T> pack;
#pragma unroll
      for (int k = 0; k < kPackSize<T>; ++k) store(pack[k], from[part + k]);
      store16(to + part, pack);
    }
  }
}
template <int W>
__device__ void add_columns(float (&sum)[W], const float (&value)[W]) {
#pragma unroll
  for (int k = 0; k < W; ++k) sum[k] += value[k];
}

__device__ inline bool inside(int32_t id, int64_t rows) { return id >= 0 && id < rows; }

// Reads one or two table rows and writes y; a thread has W columns of a row. The thread with the first
// columns reports an id that is not in the table.
template <int W, class T>
__global__ void embedding_forward_kernel(T* y, const T* tokens, const T* places, const int32_t* ids,
                                         const int32_t* positions, int64_t N, int64_t C, int64_t V,
                                         int64_t P, FaultSink fault) {
  const int64_t units = C / W;
  for (int64_t i = grid_index(); i < N * units; i += grid_stride()) {
    const int64_t n = i / units, column = (i - n * units) * W;
    const int32_t id = ids[n], position = positions ? positions[n] : 0;
    if (!inside(id, V) || (positions && !inside(position, P))) {
      const bool token = !inside(id, V);
      if (column == 0)
        report(fault, KernelFault::id_outside, n, token ? id : position, token ? V : P);
      continue;
    }
    float value[W], place[W];
    load_columns(value, tokens + id * C + column);
    if (positions) {
      load_columns(place, places + position * C + column);
      add_columns(value, place);
    }
    store_columns(y + i * W, value);
  }
}

// ---- backward: the rows are sorted by id, stably, by a radix sort of 8 bits a pass; then equal ids
// are neighbours, and their gradients are added without atomics, in row order.

constexpr int kBins = 256;  // of a digit; also the threads of the sort's blocks
constexpr int kSortWarps = kBins / kWarpSize;
constexpr int kSortSteps = 8;                  // keys of a thread
constexpr int kSortTile = kBins * kSortSteps;  // keys of a block

// Keys and their row numbers: the ids themselves in the first pass, later what the pass before wrote.
struct SortInput {
  const int32_t* ids;  // null after the first pass
  const uint32_t *keys, *rows;
  int64_t count, limit;  // an id outside 0..limit-1 gets the key `limit`

  __device__ uint32_t key(int64_t i) const {
    if (!ids) return keys[i];
    return inside(ids[i], limit) ? uint32_t(ids[i]) : uint32_t(limit);
  }
  __device__ uint32_t row(int64_t i) const { return ids ? uint32_t(i) : rows[i]; }
};

struct CountShared {
  uint32_t count[kBins];
};

// counts[block, digit]: how often the digit occurs in the block's tile.
__global__ void count_digits_kernel(uint32_t* counts, SortInput in, int shift, FaultSink fault) {
  auto& s = shared<CountShared>();
  s.count[threadIdx.x] = 0;
  __syncthreads();  // all counts are zero
  const int64_t begin = int64_t(blockIdx.x) * kSortTile;
#pragma unroll
  for (int step = 0; step < kSortSteps; ++step) {
    const int64_t i = begin + step * kBins + threadIdx.x;
    if (i >= in.count) break;
    if (in.ids && !inside(in.ids[i], in.limit))
      report(fault, KernelFault::id_outside, i, in.ids[i], in.limit);
    atomicAdd(&s.count[in.key(i) >> shift & (kBins - 1)], 1u);
  }
  __syncthreads();  // the tile is counted
  counts[int64_t(blockIdx.x) * kBins + threadIdx.x] = s.count[threadIdx.x];
}

struct ScatterShared {
  uint32_t next[kSortWarps][kBins];  // a warp's count of a digit, then where its next key goes
  uint32_t of_warp[kSortWarps];
};

// The lanes whose active key has the same digit as this lane's.
__device__ inline unsigned lanes_with(uint32_t digit, bool active) {
  unsigned lanes = __ballot_sync(kFullWarp, active);
#pragma unroll
  for (int bit = 0; bit < 8; ++bit) {
    const bool one = digit >> bit & 1u;
    const unsigned ones = __ballot_sync(kFullWarp, one);
    lanes &= one ? ones : ~ones;
  }
  return lanes;
}

// Writes the keys in the order of their digit; equal digits stay in order. Each warp has a stretch of
// the tile. Reads and writes 8 bytes a key.
__global__ void scatter_keys_kernel(uint32_t* keys_out, uint32_t* rows_out, SortInput in,
                                    const uint32_t* counts, int shift) {
  auto& s = shared<ScatterShared>();
  const int lane = lane_of_thread(), warp = warp_of_thread(), bin = int(threadIdx.x);
#pragma unroll
  for (int w = 0; w < kSortWarps; ++w) s.next[w][bin] = 0;
  __syncthreads();  // all counts are zero
  const int64_t begin = int64_t(blockIdx.x) * kSortTile + warp * (kWarpSize * kSortSteps) + lane;
  uint32_t keys[kSortSteps];
  unsigned peers[kSortSteps];
#pragma unroll
  for (int step = 0; step < kSortSteps; ++step) {
    const int64_t i = begin + step * kWarpSize;
    const bool active = i < in.count;
    keys[step] = active ? in.key(i) : 0;
    const uint32_t digit = keys[step] >> shift & (kBins - 1);
    peers[step] = lanes_with(digit, active);
    if (active && __ffs(int(peers[step])) - 1 == lane)
      s.next[warp][digit] += unsigned(__popc(peers[step]));
    __syncwarp();  // this step's counts are there before the next step's leaders add
  }
  // Where the digit `bin` of this block begins: behind all smaller digits and the blocks before.
  uint32_t before = 0, total = 0;
#pragma unroll 4
  for (unsigned b = 0; b < gridDim.x; ++b) {
    const uint32_t count = counts[int64_t(b) * kBins + bin];
    total += count;
    if (b < blockIdx.x) before += count;
  }
  uint32_t sum = total;  // over the digits up to `bin`
#pragma unroll
  for (int by = 1; by < kWarpSize; by *= 2) {
    const uint32_t other = __shfl_up_sync(kFullWarp, sum, unsigned(by));
    if (lane >= by) sum += other;
  }
  if (lane == kWarpSize - 1) s.of_warp[warp] = sum;
  __syncthreads();  // all warps' sums and counts of keys are there
  uint32_t next = sum - total + before;
  for (int w = 0; w < warp; ++w) next += s.of_warp[w];
#pragma unroll
  for (int w = 0; w < kSortWarps; ++w) {
    const uint32_t count = s.next[w][bin];
    s.next[w][bin] = next;
    next += count;
  }
  __syncthreads();  // every warp knows where its digits go
#pragma unroll
  for (int step = 0; step < kSortSteps; ++step) {
    const int64_t i = begin + step * kWarpSize;
    const bool active = i < in.count;
    const uint32_t digit = keys[step] >> shift & (kBins - 1);
    const unsigned earlier = peers[step] & ((1u << lane) - 1);
    if (active) {
      const uint32_t to = s.next[warp][digit] + unsigned(__popc(earlier));
      keys_out[to] = keys[step];
      rows_out[to] = in.row(i);
    }
    __syncwarp();  // all have read before the leaders go on
    if (active && earlier == 0) s.next[warp][digit] += unsigned(__popc(peers[step]));
    __syncwarp();  // the next step reads what the leaders wrote
  }
}

constexpr int kChunk = 32;  // sorted rows that a block adds up
constexpr uint32_t kNoKey = 0xffffffffu;

struct ChunkShared {
  uint32_t key[kChunk + 2];  // between the last key of the chunk before and the first of the next
  uint32_t row[kChunk];
};

// Adds up the runs of equal keys of one chunk. A run that lies in the chunk goes to the table; one
// that comes from the chunk before goes to partial[chunk, 0], one that only goes on to
// partial[chunk, 1]. Reads dy once; reads and writes a table row for each run.
template <int W, class T>
__global__ void __launch_bounds__(128)
    add_chunks_kernel(float* table, float* partial, const T* dy, const uint32_t* keys,
                      const uint32_t* rows, int64_t N, int64_t C, int64_t V) {
  auto& s = shared<ChunkShared>();
  const int64_t chunk = blockIdx.x, begin = chunk * kChunk;
  const int count = int(min(int64_t(kChunk), N - begin)), thread = int(threadIdx.x);
  if (thread < count) {
    s.key[thread + 1] = keys[begin + thread];
    s.row[thread] = rows[begin + thread];
  }
  if (thread == 0) {
    s.key[0] = begin > 0 ? keys[begin - 1] : kNoKey;
    s.key[count + 1] = begin + count < N ? keys[begin + count] : kNoKey;
  }
  __syncthreads();  // the chunk's keys and rows are there
  const int64_t column = (int64_t(blockIdx.y) * blockDim.x + threadIdx.x) * W;
  if (column >= C) return;   // no barrier follows
  constexpr int kAhead = 4;  // rows that are read at once
  float sum[W] = {};
  bool from_before = s.key[0] == s.key[1];
  for (int r0 = 0; r0 < count; r0 += kAhead) {
    float grad[kAhead][W] = {};
#pragma unroll
    for (int a = 0; a < kAhead; ++a)
      if (r0 + a < count) load_columns(grad[a], dy + int64_t(s.row[r0 + a]) * C + column);
#pragma unroll
    for (int a = 0; a < kAhead; ++a) {
      const int r = r0 + a;
      if (r >= count) break;
      add_columns(sum, grad[a]);
      const uint32_t key = s.key[r + 1];
      const bool goes_on = s.key[r + 2] == key;
      if (goes_on && r + 1 < count) continue;
      if (key < V) {  // else the id is outside the table and has been reported
        float* to = partial + (2 * chunk + (from_before ? 0 : 1)) * C + column;
        if (!from_before && !goes_on) {
          float old[W];
          to = table + key * C + column;
          load_columns(old, to);
          add_columns(sum, old);
        }
        store_columns(to, sum);
      }
#pragma unroll
      for (int k = 0; k < W; ++k) sum[k] = 0;
      from_before = false;
    }
  }
}

// Adds up the runs that reach over several chunks: the block of the chunk where such a run begins
// walks through the chunks that it goes on in.
template <int W>
__global__ void __launch_bounds__(128)
    add_runs_kernel(float* table, const float* partial, const uint32_t* keys, int64_t N, int64_t C,
                    int64_t V) {
  const int64_t chunk = blockIdx.x, begin = chunk * kChunk, next = begin + kChunk;
  const int64_t column = (int64_t(blockIdx.y) * blockDim.x + threadIdx.x) * W;
  if (next >= N || column >= C) return;
  const uint32_t key = keys[next - 1];
  if (key >= V || keys[next] != key || (begin > 0 && keys[begin - 1] == key)) return;
  float sum[W], old[W];
  load_columns(sum, partial + (2 * chunk + 1) * C + column);
  constexpr int kAhead = 4;  // chunks that are read at once
  bool goes_on = true;
  for (int64_t c0 = chunk + 1; goes_on; c0 += kAhead) {
    bool in_run[kAhead];
    float part[kAhead][W] = {};
#pragma unroll
    for (int a = 0; a < kAhead; ++a)
      in_run[a] = (c0 + a) * kChunk < N && keys[(c0 + a) * kChunk] == key;
#pragma unroll
    for (int a = 0; a < kAhead; ++a)
      if (in_run[a]) load_columns(part[a], partial + 2 * (c0 + a) * C + column);
#pragma unroll
    for (int a = 0; a < kAhead; ++a) add_columns(sum, part[a]);
    goes_on = in_run[kAhead - 1];
  }
  load_columns(old, table + key * C + column);
  add_columns(old, sum);
  store_columns(table + key * C + column, old);
}

// The working memory of the sort and the sums, for N rows of C columns.
struct Workspace {
  uint32_t *keys[2], *rows[2], *counts;
  float* partial;

  Workspace(Stream& stream, int64_t N, int64_t C) {
    const int64_t padded = ceil_div(N, 4) * 4;  // what follows begins at 16 bytes
    const int64_t tiles = ceil_div(N, kSortTile), chunks = ceil_div(N, kChunk);
    auto* words = stream.scratch().reserve<uint32_t>(4 * padded + tiles * kBins + 2 * chunks * C);
    for (int i = 0; i < 2; ++i) keys[i] = words + i * padded, rows[i] = words + (2 + i) * padded;
    counts = words + 4 * padded;
    partial = reinterpret_cast<float*>(counts + tiles * kBins);
  }
};

// table[ids[n]] += dy[n]
template <class T>
void add_rows(Stream& stream, Acc table, In dy, In ids, const Workspace& w) {
  const int64_t N = dy[0], C = dy[1], V = table[0];
  const Grid sort{dim3(unsigned(ceil_div(N, kSortTile))), dim3(kBins)};
  SortInput in{ids.as<int32_t>(), nullptr, nullptr, N, V};
  int to = 0;
  for (int shift = 0; shift == 0 || shift < int(std::bit_width(uint64_t(V))); shift += 8, to ^= 1) {
    launch<count_digits_kernel>(stream, Grid{sort.blocks, sort.threads, sizeof(CountShared)},
                                w.counts, in, shift, stream.fault());
    launch<scatter_keys_kernel>(stream, Grid{sort.blocks, sort.threads, sizeof(ScatterShared)},
                                w.keys[to], w.rows[to], in, w.counts, shift);
    in = {nullptr, w.keys[to], w.rows[to], N, V};
  }
  const auto add = [&]<int W>() {
    const int64_t units = C / W, threads = std::min<int64_t>(ceil_div(units, 32) * 32, 128);
    const Grid grid{dim3(unsigned(ceil_div(N, kChunk)), unsigned(ceil_div(units, threads))),
                    dim3(unsigned(threads)), sizeof(ChunkShared)};
    launch<add_chunks_kernel<W, T>>(stream, grid, table.as<float>(), w.partial, dy.as<T>(), in.keys,
                                    in.rows, N, C, V);
    launch<add_runs_kernel<W>>(stream, grid, table.as<float>(), w.partial, in.keys, N, C, V);
  };
  if (packs<T>(C, dy.as<T>(), table.as<float>()))
    add.template operator()<kPackSize<T>>();
  else
    add.template operator()<1>();
}

void check_places(const char* op, bool places, bool positions) {
  check(places == positions, "{}: places and positions belong together", op);
}

}  // namespace

void embedding_forward(Stream& stream, Out y, In tokens, In places, In ids, In positions) {
  check_places("embedding_forward", bool(places), bool(positions));
  const int64_t N = y[0], C = y[1], V = tokens[0], P = places ? places[0] : 0;
  const int32_t* position = positions ? positions.as<int32_t>() : nullptr;
  dispatch_float(y.dtype, [&]<class T>(TypeTag<T>) {
    const T* place = places ? places.as<T>() : nullptr;
    const auto rows = [&]<int W>() {
      launch<embedding_forward_kernel<W, T>>(stream, grid_of(N * C / W), y.as<T>(), tokens.as<T>(),
                                             place, ids.as<int32_t>(), position, N, C, V, P,
                                             stream.fault());
    };
    if (packs<T>(C, y.as<T>(), tokens.as<T>(), place))
      rows.template operator()<kPackSize<T>>();
    else
      rows.template operator()<1>();
  });
}

void embedding_backward(Stream& stream, Acc dtokens, Acc dplaces, In dy, In ids, In positions) {
  check_places("embedding_backward", bool(dplaces), bool(positions));
  const int64_t N = dy[0], C = dy[1];
  check(N <= std::numeric_limits<int32_t>::max(), "embedding_backward: {} rows are too many", N);
  if (N == 0 || C == 0) return;
  dispatch_float(dy.dtype, [&]<class T>(TypeTag<T>) {
    const Workspace workspace(stream, N, C);
    add_rows<T>(stream, dtokens, dy, ids, workspace);
    if (positions) add_rows<T>(stream, dplaces, dy, positions, workspace);
  });
}

}  // namespace laclip::cuda
