// Writes tar archives (ustar): shards of images and captions.
#pragma once

#include <string>
#include <string_view>

namespace laclip {

class TarWriter {
 public:
  // `type` as in the format: '0' a file, '5' a folder, … Error if the name takes over 100 bytes.
  TarWriter& add(const std::string& name, std::string_view content, char type = '0');
  std::string finish() const;  // the archive with its end mark

 private:
  std::string bytes_;
};

}  // namespace laclip
