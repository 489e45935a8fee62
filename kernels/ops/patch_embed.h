// From images to rows of tokens.
//
// normalize_image: uint8 pixels to normalised planes, y[b,i,·] = (x[b,·,i] / 255 - mean[i]) / std[i].
// patchify: cuts planes into patches so that the patch convolution becomes `linear` with the
//   weight [W, I·p·p] of conv1 viewed as a matrix: y[b·P + patch][(i·p + row)·p + column], patches
//   row by row.
// class_token: y = [cls; x] + places for each image; rows of x: B·P, rows of y: B·(P+1).
//   dx = dy without the first rows     dcls += Σ_b dy[b,0]     dplaces += Σ_b dy[b]
#pragma once

#include <array>

#include "kernels/core/op.h"

namespace laclip {

struct PixelScale {
  std::array<float, 3> mean, std;
};

inline void check_patches(const Out& y, In x, int patch) {
  const int64_t R = x[2], S = x[3], p = patch;
  check(p > 0 && R % p == 0 && S % p == 0,
        "patchify: an image of {}×{} cannot be cut into patches of {}", R, S, p);
  const int64_t patches = x[0] * (R / p) * (S / p);
  check(y[0] == patches && y[1] == 3 * p * p,
        "patchify: y is {} but {} patches of {} values are cut", y.shape.text(), patches,
        3 * p * p);
}
// The images of n rows with class tokens and m without, t rows each.
inline int64_t images_of_rows(const char* op, int64_t n, int64_t m, int64_t t) {
  check(t > 1 && n % t == 0 && m == n / t * (t - 1),
        "{}: {} rows with class tokens and {} without do not fit {} places", op, n, m, t);
  return n / t;
}

using NormalizeImage = void(Stream&, Out y, In x, PixelScale);
using Patchify = void(Stream&, Out y, In x, int patch);
using ClassTokenForward = void(Stream&, Out y, In x, In cls, In places);
using ClassTokenBackward = void(Stream&, Out dx, Acc dcls, Acc dplaces, In dy);
namespace cpu {
LACLIP_CPU_OP(NormalizeImage, normalize_image)
LACLIP_CPU_OP(Patchify, patchify)
LACLIP_CPU_OP(ClassTokenForward, class_token_forward)
LACLIP_CPU_OP(ClassTokenBackward, class_token_backward)
}  // namespace cpu
namespace cuda {
NormalizeImage normalize_image;
Patchify patchify;
ClassTokenForward class_token_forward;
ClassTokenBackward class_token_backward;
}  // namespace cuda

inline constexpr Op<NormalizeImage> normalize_image{"normalize_image: y[B 3 R S] <- x[B R S 3]:u8",
                                                    cpu::normalize_image, cuda::normalize_image};
inline constexpr Op<Patchify> patchify{"patchify: y[M K] <- x[B 3 R S]", cpu::patchify,
                                       cuda::patchify};
inline constexpr Op<ClassTokenForward> class_token_forward{
    "class_token_forward: y[N C] <- x[M C] cls[C] places[T C]", cpu::class_token_forward,
    cuda::class_token_forward};
inline constexpr Op<ClassTokenBackward> class_token_backward{
    "class_token_backward: dx[M C] dcls[C]:f32 dplaces[T C]:f32 <- dy[N C]",
    cpu::class_token_backward, cuda::class_token_backward};

}  // namespace laclip
