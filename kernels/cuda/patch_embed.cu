#include "kernels/ops/patch_embed.h"

#include <algorithm>

#include "kernels/cuda/device/columns.cuh"
#include "kernels/cuda/device/launch.cuh"
#include "kernels/cuda/device/vec.cuh"

namespace laclip::cuda {
namespace {

// ---- normalize_image

struct ChannelScale {
  float factor[3], shift[3];  // y = x · factor - shift
};

// A thread takes W pixels: 3·W bytes in words of four, then 16 bytes of each plane. Reads 3 bytes and
// writes 3 values a pixel.
template <int W, class T>
__global__ void normalize_kernel(T* y, const uint8_t* x, int64_t images, int64_t plane,
                                 ChannelScale scale) {
  const int64_t units = plane / W;
  for (int64_t i = grid_index(); i < images * units; i += grid_stride()) {
    const int64_t b = i / units;
    T* out = y + b * 2 * plane + i * W;  // image b of 3 planes, pixel (i - b·units) W
    if constexpr (W == 1) {
      for (int c = 0; c < 3; ++c)
        store(out[c * plane], float(x[i * 3 + c]) * scale.factor[c] - scale.shift[c]);
    } else {
      constexpr int kWords = 3 * W / 4;
      const auto* in = reinterpret_cast<const uint32_t*>(x) + i * kWords;
      uint32_t words[kWords];
#pragma unroll
      for (int k = 0; k < kWords; ++k) words[k] = in[k];
#pragma unroll
      for (int c = 0; c < 3; ++c) {
        Pack<T> pack;
#pragma unroll
        for (int k = 0; k < W; ++k) {
          const int at = 3 * k + c;  // the byte
          const uint32_t value = words[at / 4] >> (at % 4 * 8) & 0xffu;
          store(pack[k], float(value) * scale.factor[c] - scale.shift[c]);
        }
        store16(out + c * plane, pack);
      }
    }
  }
}

// ---- patchify

struct PatchGrid {
  int64_t strips;  // rows of patches of all images
  int down, across, patch;
};

// W elements, read and written at once.
template <class T, int W>
struct alignas(W * sizeof(T)) Group {
  T values[W];
};

// A block takes a strip, the patches beside one another: y in order, x in lines of a patch. P is the
// patch if it is known at compile time (its divisions become multiplications), else 0. Reads x once,
// writes y once.
template <int W, int P, class T>
__global__ void patchify_kernel(T* y, const T* x, PatchGrid g) {
  using Unit = Group<T, W>;
  const int patch = P ? P : g.patch;
  const int line = patch / W, units = 3 * patch * line;  // of a patch
  const int64_t width = int64_t(g.across) * line, plane = width * g.down * patch;
  for (int64_t strip = blockIdx.x; strip < g.strips; strip += gridDim.x) {
    const int64_t b = strip / g.down, v = strip - b * g.down;
    Unit* out = reinterpret_cast<Unit*>(y) + strip * g.across * units;
    const Unit* in = reinterpret_cast<const Unit*>(x) + b * 3 * plane + v * patch * width;
    for (int k = int(threadIdx.x); k < g.across * units; k += int(blockDim.x)) {
      const int u = k / units, in_patch = k - u * units;
      const int row = in_patch / line, column = in_patch - row * line;  // row: channel · patch + r
      const int channel = row / patch, r = row - channel * patch;
      out[k] = in[channel * plane + r * width + u * line + column];
    }
  }
}

template <int W, class T>
void patchify_in_units(Stream& stream, T* y, const T* x, const PatchGrid& g) {
  const Grid grid{dim3(unsigned(std::clamp<int64_t>(g.strips, 1, 65535))), dim3(256)};
  if (W == 2 && g.patch == 14)
    launch<patchify_kernel<W, 14, T>>(stream, grid, y, x, g);
  else if (g.patch == 16)
    launch<patchify_kernel<W, 16, T>>(stream, grid, y, x, g);
  else if (g.patch == 32)
    launch<patchify_kernel<W, 32, T>>(stream, grid, y, x, g);
  else
    launch<patchify_kernel<W, 0, T>>(stream, grid, y, x, g);
}

// ---- class_token

// Reads x, writes y; cls and places come from the caches.
template <int W, class V>
__global__ void class_token_kernel(V* y, const V* x, const V* cls, const V* places, int64_t N,
                                   int64_t T, int64_t C) {
  const int64_t units = C / W;
  for (int64_t i = grid_index(); i < N * units; i += grid_stride()) {
    const int64_t n = i / units, column = (i - n * units) * W, b = n / T, t = n - b * T;
    float value[W], place[W];
    // Row n of y is row b (T - 1) + t - 1 = n - b - 1 of x.
    load_columns(value, t == 0 ? cls + column : x + (n - b - 1) * C + column);
    load_columns(place, places + t * C + column);
    add_columns(value, place);
    store_columns(y + i * W, value);
  }
}

// Copies dy to dx and sums it over the images of a slice, in order: partial[slice, t, c]. Reads dy,
// writes dx.
template <int W, class V>
__global__ void class_token_slice_kernel(V* dx, float* partial, const V* dy, int64_t images,
                                         int64_t slice_images, int64_t slices, int64_t T,
                                         int64_t C) {
  const int64_t row = T * C, units = row / W;
  for (int64_t i = grid_index(); i < slices * units; i += grid_stride()) {
    const int64_t slice = i / units, at = (i - slice * units) * W;  // at: place and column
    const int64_t end = min((slice + 1) * slice_images, images);
    float sum[W] = {};
#pragma unroll 4
    for (int64_t b = slice * slice_images; b < end; ++b) {
      float grad[W];
      load_columns(grad, dy + b * row + at);
      add_columns(sum, grad);
      if (at >= C) store_columns(dx + b * (row - C) + at - C, grad);
    }
    store_columns(partial + i * W, sum);
  }
}

// Adds up the slices in order. Reads the partial sums once.
template <int W>
__global__ void class_token_sum_kernel(float* dcls, float* dplaces, const float* partial,
                                       int64_t slices, int64_t T, int64_t C) {
  for (int64_t at = grid_index() * W; at < T * C; at += grid_stride() * W) {
    float sum[W] = {}, part[W];
#pragma unroll 4
    for (int64_t slice = 0; slice < slices; ++slice) {
      load_columns(part, partial + slice * T * C + at);
#pragma unroll
      for (int k = 0; k < W; ++k) sum[k] += part[k];
    }
    const auto add_to = [&](float* gradient) {
      load_columns(part, gradient);
#pragma unroll
      for (int k = 0; k < W; ++k) part[k] += sum[k];
      store_columns(gradient, part);
    };
    add_to(dplaces + at);
    if (at < C) add_to(dcls + at);
  }
}

}  // namespace

void normalize_image(Stream& stream, Out y, In x, PixelScale scale) {
  const int64_t B = x[0], plane = x[1] * x[2];
  ChannelScale channels;
  for (size_t c = 0; c < 3; ++c) {
    channels.factor[c] = 1.0f / (255.0f * scale.std[c]);
    channels.shift[c] = scale.mean[c] / scale.std[c];
  }
  dispatch_float(y.dtype, [&]<class T>(TypeTag<T>) {
    constexpr int kWide = kPackSize<T>;
    if (packs<T>(plane, y.as<T>(), x.as<uint8_t>()))
      launch<normalize_kernel<kWide, T>>(stream, grid_of(B * plane / kWide), y.as<T>(),
                                         x.as<uint8_t>(), B, plane, channels);
    else
      launch<normalize_kernel<1, T>>(stream, grid_of(B * plane), y.as<T>(), x.as<uint8_t>(), B,
                                     plane, channels);
  });
}

void patchify(Stream& stream, Out y, In x, int patch) {
  const int64_t B = x[0], R = x[2], S = x[3], p = patch;
  check_patches(y, x, patch);
  const int64_t down = R / p, across = S / p;
  const PatchGrid g{B * down, int(down), int(across), patch};
  dispatch_float(x.dtype, [&]<class T>(TypeTag<T>) {
    constexpr int kWide = kPackSize<T>;
    const bool aligned = packs<T>(kWide, y.as<T>(), x.as<T>());
    if (aligned && p % kWide == 0)
      patchify_in_units<kWide>(stream, y.as<T>(), x.as<T>(), g);
    else if (aligned && p % 2 == 0)  // ViT-L/14
      patchify_in_units<2>(stream, y.as<T>(), x.as<T>(), g);
    else
      patchify_in_units<1>(stream, y.as<T>(), x.as<T>(), g);
  });
}

void class_token_forward(Stream& stream, Out y, In x, In cls, In places) {
  const int64_t N = y[0], T = places[0], C = y[1];
  images_of_rows("class_token_forward", N, x[0], T);
  dispatch_float(y.dtype, [&]<class V>(TypeTag<V>) {
    constexpr int kWide = kPackSize<V>;
    if (packs<V>(C, y.as<V>(), x.as<V>(), cls.as<V>(), places.as<V>()))
      launch<class_token_kernel<kWide, V>>(stream, grid_of(N * C / kWide), y.as<V>(), x.as<V>(),
                                           cls.as<V>(), places.as<V>(), N, T, C);
    else
      launch<class_token_kernel<1, V>>(stream, grid_of(N * C), y.as<V>(), x.as<V>(), cls.as<V>(),
                                       places.as<V>(), N, T, C);
  });
}

void class_token_backward(Stream& stream, Out dx, Acc dcls, Acc dplaces, In dy) {
  const int64_t T = dplaces[0], C = dy[1];
  const int64_t B = images_of_rows("class_token_backward", dy[0], dx[0], T);
  dispatch_float(dy.dtype, [&]<class V>(TypeTag<V>) {
    constexpr int kWide = kPackSize<V>;
    const auto in_units = [&]<int W>() {
      // As many slices as fill a large GPU, but none of fewer than eight images.
      constexpr int64_t kThreads = 1 << 17;
      const int64_t wanted =
          std::clamp<int64_t>(ceil_div(kThreads * W, std::max<int64_t>(T * C, 1)), 1,
                              std::max<int64_t>(B / 8, 1));
      const int64_t slice_images = std::max<int64_t>(ceil_div(B, wanted), 1);
      const int64_t slices = std::max<int64_t>(ceil_div(B, slice_images), 1);
      float* partial = stream.scratch().reserve<float>(slices * T * C);
      launch<class_token_slice_kernel<W, V>>(stream, grid_of(slices * T * C / W), dx.as<V>(),
                                             partial, dy.as<V>(), B, slice_images, slices, T, C);
      launch<class_token_sum_kernel<W>>(stream, grid_of(T * C / W), dcls.as<float>(),
                                        dplaces.as<float>(), partial, slices, T, C);
    };
    if (packs<V>(C, dx.as<V>(), dy.as<V>(), dcls.as<float>(), dplaces.as<float>()))
      in_units.template operator()<kWide>();
    else
      in_units.template operator()<1>();
  });
}

}  // namespace laclip::cuda
