// Resampling as Pillow does it, to the same bits: two passes, horizontal first, with a kernel that
// widens when an image shrinks (anti-aliasing), coefficients of 22 bits, each pass rounded to 8
// bits.
#pragma once

#include <string>

#include "data/image.h"

namespace laclip {

enum class Interpolation { bilinear, bicubic };
Interpolation parse_interpolation(const std::string& name);

// A rectangle of whole pixels.
struct Crop {
  int left = 0, top = 0, width = 0, height = 0;
};

// The crop of `image`, resized to width × height; pixels outside the crop play no part.
Image resize(const Image& image, Crop crop, int width, int height, Interpolation interpolation);

// Along one axis: pixels first .. first + count - 1 of `size`.
struct Window {
  int64_t size = 0, first = 0;
  int count = 0;
};

// The pixels that make each output along one axis, with weights of 22 bits whose sum is 2²².
struct Taps {
  int most = 0;                            // weights of an output
  std::vector<int> first, count, weights;  // [n] [n] [n most]: input first + i has weight i
};
Taps make_taps(int inputs, Window outputs, Interpolation interpolation);

// A window of the crop resized to across.size × down.size; work and memory are those of the window.
Image resize_window(const Image& image, Crop crop, Window across, Window down,
                    Interpolation interpolation);

}  // namespace laclip
