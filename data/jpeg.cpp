#include "data/jpeg.h"

#include "data/image_write.h"

#include <cstdio>  // jpeglib.h needs it
// clang-format off
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include <algorithm>
#include <csetjmp>
#include <cstdlib>

namespace laclip {
namespace {

// libjpeg is C: its errors come back by longjmp to the one setjmp of each function below.
struct ErrorManager {
  jpeg_error_mgr base;
  std::jmp_buf jump;
  char text[JMSG_LENGTH_MAX];
  bool ended_early;
};

ErrorManager* manager_of(j_common_ptr info) { return reinterpret_cast<ErrorManager*>(info->err); }

void on_error(j_common_ptr info) {
  ErrorManager* manager = manager_of(info);
  info->err->format_message(info, manager->text);
  std::longjmp(manager->jump, 1);
}

void on_message(j_common_ptr info, int level) {
  if (level < 0 && info->err->msg_code == JWRN_JPEG_EOF) manager_of(info)->ended_early = true;
}

void set_up(ErrorManager& manager) {
  jpeg_std_error(&manager.base);
  manager.base.error_exit = on_error;
  manager.base.emit_message = on_message;
  manager.text[0] = 0;
  manager.ended_early = false;
}

struct Decoded {
  bool ok = false;
  int width = 0, height = 0, components = 0;
  bool inverted = false;  // CMYK as Adobe stores it
  int color = 0;
};

// A progressive file may ask for many passes over a large image; so many are plenty.
constexpr int kMaxScans = 200;
void check_scans(j_common_ptr info) {
  if (info->is_decompressor &&
      reinterpret_cast<j_decompress_ptr>(info)->input_scan_number > kMaxScans) {
    std::snprintf(manager_of(info)->text, JMSG_LENGTH_MAX, "more than %d scans", kMaxScans);
    std::longjmp(manager_of(info)->jump, 1);
  }
}

// Reads the header, and the pixels if `pixels` is given: interleaved components, 1, 3 or 4.
Decoded read(std::span<const std::byte> bytes, const DecodeOptions& options, ErrorManager& manager,
             std::vector<uint8_t>* pixels) {
  Decoded result;
  jpeg_decompress_struct info;
  jpeg_progress_mgr progress{};
  info.err = &manager.base;
  set_up(manager);
  if (setjmp(manager.jump)) {
    jpeg_destroy_decompress(&info);
    return result;
  }
  jpeg_create_decompress(&info);
  progress.progress_monitor = check_scans;
  info.progress = &progress;
  jpeg_mem_src(&info, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  jpeg_read_header(&info, TRUE);
  result.width = int(info.image_width);
  result.height = int(info.image_height);
  result.components = info.num_components;
  result.color = info.jpeg_color_space;
  result.inverted = info.saw_Adobe_marker;
  if (pixels && int64_t(result.width) * result.height <= options.max_pixels) {
    const auto stays_large = [&](int by) {
      const int64_t width = result.width / by, height = result.height / by;
      return std::min(width, height) >= options.smallest_side &&
             width * height >= options.smallest_area;
    };
    info.scale_num = info.scale_denom = 1;
    while (options.smallest_side > 0 && info.scale_denom < 8 &&
           stays_large(int(2 * info.scale_denom)))
      info.scale_denom *= 2;
    info.out_color_space = info.num_components == 1   ? JCS_GRAYSCALE
                           : info.num_components == 4 ? JCS_CMYK
                                                      : JCS_RGB;
    jpeg_start_decompress(&info);
    result.width = int(info.output_width);
    result.height = int(info.output_height);
    result.components = info.output_components;
    const size_t row = size_t(info.output_width) * size_t(info.output_components);
    pixels->resize(row * info.output_height);
    while (info.output_scanline < info.output_height) {
      JSAMPROW line = pixels->data() + row * info.output_scanline;
      jpeg_read_scanlines(&info, &line, 1);
    }
    jpeg_finish_decompress(&info);
  }
  result.ok = true;
  jpeg_destroy_decompress(&info);
  return result;
}

// Pillow's CMYK to RGB: what the ink leaves over, 255 - k - c (255 - k) / 255, rounded.
void cmyk_to_rgb(const std::vector<uint8_t>& in, bool inverted, std::vector<uint8_t>& out) {
  for (size_t i = 0; i < out.size() / 3; ++i) {
    auto ink = [&](size_t c) { return inverted ? 255 - in[i * 4 + c] : int(in[i * 4 + c]); };
    const int paper = 255 - ink(3);
    for (size_t c = 0; c < 3; ++c) {
      const int product = ink(c) * paper + 128;
      out[i * 3 + c] = uint8_t(std::clamp(paper - ((product >> 8) + product) / 256, 0, 255));
    }
  }
}

}  // namespace

Image decode_jpeg(std::span<const std::byte> bytes, const DecodeOptions& options,
                  const std::string& place) {
  ErrorManager manager;
  std::vector<uint8_t> pixels;
  const Decoded decoded = read(bytes, options, manager, &pixels);
  if (manager.ended_early) throw ImageError(ImageFault::truncated, place + ": the JPEG is cut off");
  if (!decoded.ok)
    throw ImageError(ImageFault::corrupt, fmt::format("{}: damaged JPEG: {}", place, manager.text));
  if (pixels.empty())
    throw ImageError(
        ImageFault::too_large,
        fmt::format("{}: {}×{} pixels are more than the limit of {} (--max-image-pixels)", place,
                    decoded.width, decoded.height, options.max_pixels));
  Image image{decoded.width, decoded.height, {}};
  if (decoded.components == 3) {
    image.rgb = std::move(pixels);
    return image;
  }
  image.rgb.resize(size_t(decoded.width) * size_t(decoded.height) * 3);
  if (decoded.components == 4)
    cmyk_to_rgb(pixels, decoded.inverted, image.rgb);
  else
    for (size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = pixels[i / 3];
  return image;
}

ImageInfo probe_jpeg(std::span<const std::byte> bytes, const std::string& place) {
  ErrorManager manager;
  const Decoded header = read(bytes, {}, manager, nullptr);
  if (!header.ok)
    throw ImageError(ImageFault::corrupt, fmt::format("{}: damaged JPEG: {}", place, manager.text));
  return {"JPEG",
          header.components == 1   ? "L"
          : header.components == 4 ? "CMYK"
                                   : "RGB",
          header.width, header.height};
}

std::vector<std::byte> encode_jpeg(const Image& image, int quality) {
  ErrorManager manager;
  set_up(manager);
  jpeg_compress_struct info;
  info.err = &manager.base;
  unsigned char* memory = nullptr;
  unsigned long size = 0;
  if (setjmp(manager.jump)) {
    jpeg_destroy_compress(&info);
    std::free(memory);
    fail("cannot write a JPEG of {}×{}: {}", image.width, image.height, manager.text);
  }
  jpeg_create_compress(&info);
  jpeg_mem_dest(&info, &memory, &size);
  info.image_width = JDIMENSION(image.width);
  info.image_height = JDIMENSION(image.height);
  info.input_components = 3;
  info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, quality, TRUE);
  jpeg_start_compress(&info, TRUE);
  while (info.next_scanline < info.image_height) {
    auto* line = const_cast<uint8_t*>(image.rgb.data()) +
                 size_t(info.next_scanline) * size_t(image.width) * 3;
    jpeg_write_scanlines(&info, &line, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  const auto* begin = reinterpret_cast<const std::byte*>(memory);
  std::vector<std::byte> bytes(begin, begin + size);
  std::free(memory);
  return bytes;
}

}  // namespace laclip
