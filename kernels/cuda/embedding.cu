#include "kernels/ops/embedding.h"

#include <algorithm>
#include <limits>

#include "kernels/cuda/device/columns.cuh"
#include "kernels/cuda/device/launch.cuh"
#include "kernels/cuda/device/sort_by_id.cuh"
#include "kernels/cuda/device/vec.cuh"

namespace laclip::cuda {
namespace {

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

// ---- backward: the rows are sorted by id; then equal ids are neighbours, and their gradients are
// added without atomics, in row order.

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

// table[ids[n]] += dy[n]
template <class T>
void add_rows(Stream& stream, Acc table, In dy, In ids) {
  const int64_t N = dy[0], C = dy[1], V = table[0];
  const int64_t words = SortSpace::words(N);
  auto* memory = stream.scratch().reserve<uint32_t>(words + 2 * ceil_div(N, kChunk) * C);
  auto* partial = reinterpret_cast<float*>(memory + words);
  const SortedIds sorted = sort_by_id(stream, ids.as<int32_t>(), N, V, {memory, N});
  const auto add = [&]<int W>() {
    const int64_t units = C / W, threads = std::min<int64_t>(ceil_div(units, 32) * 32, 128);
    const Grid grid{dim3(unsigned(ceil_div(N, kChunk)), unsigned(ceil_div(units, threads))),
                    dim3(unsigned(threads)), sizeof(ChunkShared)};
    launch<add_chunks_kernel<W, T>>(stream, grid, table.as<float>(), partial, dy.as<T>(),
                                    sorted.keys, sorted.rows, N, C, V);
    launch<add_runs_kernel<W>>(stream, grid, table.as<float>(), partial, sorted.keys, N, C, V);
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
    add_rows<T>(stream, dtokens, dy, ids);
    if (positions) add_rows<T>(stream, dplaces, dy, positions);
  });
}

}  // namespace laclip::cuda
