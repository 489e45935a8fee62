// JPEG by libjpeg-turbo; used through image_decode.h and image_write.h.
#pragma once

#include "data/image_decode.h"

namespace laclip {

Image decode_jpeg(std::span<const std::byte> bytes, const DecodeOptions& options,
                  const std::string& place);
ImageInfo probe_jpeg(std::span<const std::byte> bytes, const std::string& place);

}  // namespace laclip
