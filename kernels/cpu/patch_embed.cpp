#include "kernels/ops/patch_embed.h"

#include <cstring>

#include "base/parallel.h"

namespace laclip::cpu::LACLIP_CPU_LEVEL {

void normalize_image(Stream&, Out y, In x, PixelScale scale) {
  const int64_t B = x[0], plane = x[1] * x[2];
  dispatch_float(y.dtype, [&]<class T>(TypeTag<T>) {
    parallel_rows(B, 3 * plane, [&](int64_t b) {
      for (int64_t i = 0; i < 3; ++i) {
        const float factor = 1.0f / (255.0f * scale.std[size_t(i)]);
        const float shift = scale.mean[size_t(i)] / scale.std[size_t(i)];
        const uint8_t* in = x.as<uint8_t>() + b * plane * 3 + i;
        T* out = y.as<T>() + (b * 3 + i) * plane;
        for (int64_t p = 0; p < plane; ++p) store(out[p], float(in[p * 3]) * factor - shift);
      }
    });
  });
}

void patchify(Stream&, Out y, In x, int patch) {
  const int64_t B = x[0], R = x[2], S = x[3], p = patch;
  check_patches(y, x, patch);
  const int64_t down = R / p, across = S / p;
  const auto bytes = size_t(p * size_of(x.dtype));
  dispatch_float(x.dtype, [&]<class T>(TypeTag<T>) {
    parallel_rows(B * down, across * y[1], [&](int64_t row) {
      const int64_t b = row / down, v = row % down;
      for (int64_t u = 0; u < across; ++u) {
        T* out = y.as<T>() + (row * across + u) * y[1];
        for (int64_t i = 0; i < 3; ++i)
          for (int64_t r = 0; r < p; ++r, out += p)
            std::memcpy(out, x.as<T>() + ((b * 3 + i) * R + v * p + r) * S + u * p, bytes);
      }
    });
  });
}

void class_token_forward(Stream&, Out y, In x, In cls, In places) {
  const int64_t T = places[0], C = y[1];
  const int64_t B = images_of_rows("class_token_forward", y[0], x[0], T);
  dispatch_float(y.dtype, [&]<class V>(TypeTag<V>) {
    parallel_rows(B * T, C, [&](int64_t n) {
      const int64_t b = n / T, t = n % T;
      const V* in = t == 0 ? cls.as<V>() : x.as<V>() + (b * (T - 1) + t - 1) * C;
      const V* place = places.as<V>() + t * C;
      V* out = y.as<V>() + n * C;
      for (int64_t c = 0; c < C; ++c) store(out[c], float(in[c]) + float(place[c]));
    });
  });
}

void class_token_backward(Stream&, Out dx, Acc dcls, Acc dplaces, In dy) {
  const int64_t T = dplaces[0], C = dy[1];
  const int64_t B = images_of_rows("class_token_backward", dy[0], dx[0], T);
  dispatch_float(dy.dtype, [&]<class V>(TypeTag<V>) {
    parallel_rows(T, B * C, [&](int64_t t) {  // one position a task: images in order
      float* place = dplaces.as<float>() + t * C;
      for (int64_t b = 0; b < B; ++b) {
        const V* grad = dy.as<V>() + (b * T + t) * C;
        for (int64_t c = 0; c < C; ++c) place[c] += float(grad[c]);
        if (t == 0)
          for (int64_t c = 0; c < C; ++c) dcls.as<float>()[c] += float(grad[c]);
        else
          std::memcpy(dx.as<V>() + (b * (T - 1) + t - 1) * C, grad, size_t(C) * sizeof(V));
      }
    });
  });
}

}  // namespace laclip::cpu::LACLIP_CPU_LEVEL
