// Small pictures inside the page.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace laclip {

// The image, at most 128 pixels wide and high, as a data: URI with a JPEG in it.
std::string thumbnail(std::span<const std::byte> bytes, const std::string& place);

std::string base64(std::span<const std::byte> bytes);

}  // namespace laclip
