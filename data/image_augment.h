// From an image to the square that a model sees.
#pragma once

#include "base/philox.h"
#include "data/image_resize.h"

namespace laclip {

// Resize of the shorter side to `size`, then the centre: torchvision's Resize + CenterCrop.
Image evaluation_crop(const Image& image, int size, Interpolation interpolation);

struct CropScale {
  float least = 0.9f, most = 1.0f;  // share of the image's area
};

// torchvision's RandomResizedCrop: area share uniform in the scale, log of the side ratio uniform
// in ±log(4/3), ten tries, then the centre with the ratio clamped.
constexpr double kWidestRatio = 4.0 / 3;
Crop random_crop(int width, int height, CropScale scale, Random& random);

// A crop that is resized later, with what that takes: resize() of it to a square of `size`.
struct ImageCrop {
  Image image;
  Taps columns, rows;
};
ImageCrop cut_crop(const Image& image, Crop crop, int size, Interpolation interpolation);

}  // namespace laclip
