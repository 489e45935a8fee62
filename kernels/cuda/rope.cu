#include "kernels/ops/rope.h"

#include "kernels/cuda/device/launch.cuh"
#include "kernels/cuda/device/vec.cuh"

namespace laclip::cuda {
namespace {

struct RopeShape {
  int64_t N, Q, T;  // rows, their width, places of the table
  int rotated, half;
};

template <class T>
__device__ void turn(T& first, T& second, float cosine, float sine) {
  const float a = float(first), b = float(second);
  store(first, a * cosine - b * sine);
  store(second, b * cosine + a * sine);
}

// A thread turns W pairs (x[i], x[i + half]) of one head in place. Reads and writes the query and key
// heads; the table's rows come from the caches.
template <int W, class T>
__global__ void rope_kernel(T* qkv, const float* table, const int32_t* positions, RopeShape s,
                            float direction, FaultSink fault) {
  const int units = s.half / W, row_units = s.rotated * units;
  for (int64_t i = grid_index(); i < s.N * row_units; i += grid_stride()) {
    const int64_t n = i / row_units;
    const int in_row = int(i - n * row_units), head = in_row / units;
    const int column = (in_row - head * units) * W;
    const int place = positions[n];
    if (place < 0 || place >= s.T) {
      if (in_row == 0) report(fault, KernelFault::id_outside, n, place, s.T);
      continue;
    }
    T* x = qkv + n * s.Q + int64_t(head) * 2 * s.half + column;
    const float* cosine = table + int64_t(place) * 2 * s.half + column;
    if constexpr (W == 1) {
      turn(x[0], x[s.half], cosine[0], direction * cosine[s.half]);
    } else {
      Pack<T> first = load16(x), second = load16(x + s.half);
      constexpr int kFloats = kPackSize<float>;
#pragma unroll
      for (int k = 0; k < W; k += kFloats) {
        const Pack<float> c = load16(cosine + k), d = load16(cosine + s.half + k);
#pragma unroll
        for (int j = 0; j < kFloats; ++j) turn(first[k + j], second[k + j], c[j], direction * d[j]);
      }
      store16(x, first);
      store16(x + s.half, second);
    }
  }
}

// Turns the query and key heads by direction times the angle of their position.
void rotate(const char* op, Stream& stream, InOut qkv, In table, In positions, RopeOptions o,
            float direction) {
  const int64_t N = qkv[0], Q = qkv[1], T = table[0], D = table[1];
  check_rope_rows(op, qkv, table, o);
  const RopeShape s{N, Q, T, o.heads + o.key_heads, int(D / 2)};
  const int64_t pairs = N * s.rotated * s.half;
  dispatch_float(qkv.dtype, [&]<class X>(TypeTag<X>) {
    constexpr int kWide = kPackSize<X>;
    if (packs<X>(s.half, qkv.as<X>(), table.as<float>()))  // then Q is a multiple of kWide, too
      launch<rope_kernel<kWide, X>>(stream, grid_of(pairs / kWide), qkv.as<X>(), table.as<float>(),
                                    positions.as<int32_t>(), s, direction, stream.fault());
    else
      launch<rope_kernel<1, X>>(stream, grid_of(pairs), qkv.as<X>(), table.as<float>(),
                                positions.as<int32_t>(), s, direction, stream.fault());
  });
}

}  // namespace

void rope_forward(Stream& stream, InOut qkv, In table, In positions, RopeOptions o) {
  rotate("rope_forward", stream, qkv, table, positions, o, 1.0f);
}

void rope_backward(Stream& stream, InOut dqkv, In table, In positions, RopeOptions o) {
  rotate("rope_backward", stream, dqkv, table, positions, o, -1.0f);
}

}  // namespace laclip::cuda
