#pragma once

#include "data/image_augment.h"
#include "models/crop_layout.h"

namespace laclip {

// Crops of the data pipeline as the models take them: views, which `crops` must outlive.
inline std::vector<DecodedCrop> decoded_crops(const std::vector<ImageCrop>& crops) {
  const auto axis = [](const Taps& taps) {
    return DecodedCrop::Axis{taps.most, taps.first, taps.count, taps.weights};
  };
  std::vector<DecodedCrop> views;
  for (const ImageCrop& crop : crops)
    views.push_back(
        {crop.image.rgb, crop.image.width, crop.image.height, axis(crop.columns), axis(crop.rows)});
  return views;
}

}  // namespace laclip
