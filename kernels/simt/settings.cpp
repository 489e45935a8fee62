#include "kernels/simt/settings.h"

#include <cstdlib>
#include <sstream>
#include <string>

#include "base/check.h"

namespace laclip::simt {
namespace {

Settings from_environment() {
  Settings s;
  const char* text = std::getenv("LACLIP_SIMT");
  std::istringstream words(text ? text : "");
  for (std::string word; std::getline(words, word, ',');) {
    const size_t equals = word.find('=');
    const std::string value = equals == std::string::npos ? "" : word.substr(equals + 1);
    const std::string name = word.substr(0, equals);
    const auto number = [&] {
      char* end = nullptr;
      const uint64_t n = std::strtoull(value.c_str(), &end, 0);
      check(!value.empty() && *end == 0, "LACLIP_SIMT: {} needs a number", name);
      return n;
    };
    if (word == "forward")
      s.order = Order::forward;
    else if (word == "reversed")
      s.order = Order::reversed;
    else if (word == "shuffled")
      s.order = Order::shuffled;
    else if (name == "seed")
      s.seed = number();
    else if (name == "poison")
      s.poison = uint8_t(number());
    else if (word == "prove")
      s.prove = true;
    else if (word == "banks")
      s.banks = true;
    else if (word == "guard")
      s.guard = true;
    else
      fail(
          "LACLIP_SIMT: {} is unknown; words are forward, reversed, shuffled, seed=N, poison=N, "
          "prove, banks, guard, separated by commas",
          word);
  }
  return s;
}

}  // namespace

Settings& settings() {
  static Settings value = from_environment();
  return value;
}

}  // namespace laclip::simt
