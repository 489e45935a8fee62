// A LLaMA with random weights and its tokenizer, in llama2.c's forms: small enough to be written
// anew for each test of a command.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/philox.h"

namespace laclip::test {

struct TinyLlama {
  static constexpr int kWidth = 16, kMlpWidth = 32, kLayers = 2, kHeads = 2, kKeyHeads = 1,
                       kHeadSize = 8, kMaxLength = 2048;
  static constexpr int kFixed = 259;  // <unk>, <s>, </s>, 256 bytes

  // What the vocabulary holds beside the fixed pieces: characters, and runs of spaces to keep the
  // indented prompts short.
  static std::vector<std::string> pieces() {
    std::vector<std::string> list;
    for (char c = ' '; c <= '~'; ++c) list.emplace_back(1, c);
    for (size_t length : {2u, 4u, 8u}) list.emplace_back(length, ' ');
    return list;
  }
  static int vocabulary() { return kFixed + int(pieces().size()); }

  static std::string tokenizer(std::vector<std::string> own = pieces()) {
    std::string file;
    auto put = [&](auto value) { file.append(reinterpret_cast<const char*>(&value), 4); };
    auto piece = [&](const std::string& text, float score) {
      put(score);
      put(uint32_t(text.size()));
      file += text;
    };
    put(uint32_t(16));  // no piece is longer
    for (int i = 0; i < kFixed; ++i) piece("<" + std::to_string(i) + ">", 0);
    for (size_t i = 0; i < own.size(); ++i) piece(own[i], -float(i));
    return file;
  }

  // Version 0: seven int32, then fp32 arrays. The vocabulary is negative where the output matrix is
  // not the embedding (a random model would repeat its last token if it were).
  static std::string model() {
    constexpr int64_t C = kWidth, F = kMlpWidth, q = kHeads * kHeadSize, k = kKeyHeads * kHeadSize;
    const int32_t header[] = {kWidth,    kMlpWidth,     kLayers,   kHeads,
                              kKeyHeads, -vocabulary(), kMaxLength};
    std::string file(reinterpret_cast<const char*>(header), sizeof header);
    Random random(1, RandomUse::test);
    auto add = [&](int64_t count, float mean, float deviation) {
      for (int64_t i = 0; i < count; ++i) {
        const float value = mean + deviation * random.normal();
        file.append(reinterpret_cast<const char*>(&value), 4);
      }
    };
    add(vocabulary() * C, 0, 1);
    add(kLayers * C, 1, 0.1f);
    add(kLayers * (2 * q * C + 2 * k * C), 0, 0.3f);  // q, k, v, o
    add(kLayers * C, 1, 0.1f);
    add(kLayers * 3 * F * C, 0, 0.3f);  // gate, down, up
    add(C, 1, 0.1f);
    add(kMaxLength * kHeadSize, 0, 0);  // rotary tables, which readers make anew
    add(vocabulary() * C, 0, 0.5f);
    return file;
  }
};

}  // namespace laclip::test
