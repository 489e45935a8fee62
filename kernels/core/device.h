// Where a tensor lies and an op runs.
#pragma once

#include <cstdint>
#include <string_view>

namespace laclip {

enum class Device : uint8_t { cpu, cuda };
constexpr std::string_view name_of(Device device) { return device == Device::cpu ? "cpu" : "cuda"; }

}  // namespace laclip
