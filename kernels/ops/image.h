// Crops of decoded images, resampled to the size that a model sees, to the same bits on every device.
//
// Two passes as Pillow makes them, across and then down, each rounded to 8 bits; weights have 22 bits, so
// that all is arithmetic of integers:
//
//   byte(s)   = clamp(⌊(s + 2²¹) / 2²²⌋, 0, 255)
//   t[v,u]    = byte(Σ_i weight_u[i] · crop[v, first_u + i])        u < S
//   y[b,w,u]  = byte(Σ_i weight_w[i] · t[first_w + i, u])           w < R
//
// crops[b] = {begin, width, height, columns, rows}: the crop is [height width 3] from byte 16 begin of
// `pixels` on; its columns' taps stand from number `columns` of `taps` on, its rows' from number `rows`:
//
//   {most, first[n], count[n], weight[n most]}, n = S or R; count <= most, first + count <= the crop's
//
// The sum of an output's |weight| is below 2²³, so that sums fit 32 bits. Taps in reverse order flip an
// image.
#pragma once

#include "kernels/core/op.h"

namespace laclip {

inline constexpr int64_t kCropFields = 5, kCropAlignment = 16;  // bytes
inline constexpr int kTapBits = 22;

// Error unless crops have kCropFields numbers each.
inline void check_crop_fields(const In& crops) {
  check(crops[1] == kCropFields, "resize_crops: a crop has {} fields and not {}", kCropFields,
        crops[1]);
}

using ResizeCrops = void(Stream&, Out y, In pixels, In crops, In taps);
namespace cpu {
LACLIP_CPU_OP(ResizeCrops, resize_crops)
}  // namespace cpu
namespace cuda {
ResizeCrops resize_crops;
}  // namespace cuda

inline constexpr Op<ResizeCrops> resize_crops{
    "resize_crops: y[B R S 3]:u8 <- pixels[L]:u8 crops[B F]:i32 taps[K]:i32", cpu::resize_crops,
    cuda::resize_crops};

}  // namespace laclip
