// Runs a grid on the host: blocks spread over OS threads, each on its own fibers.
#pragma once

#include <string_view>
#include <tuple>
#include <utility>

#include "kernels/simt/block.h"

namespace laclip::simt {

// Runs all blocks and returns. An Error of a kernel begins with its name.
void run_grid(const Kernel& kernel);

// "[with auto Kernel = laclip::cuda::add_kernel<float>; …]" → "add_kernel<float>"
std::string_view kernel_name(std::string_view pretty_function);

template <auto Function, class... Parameters>
void launch(void (*)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes,
            std::type_identity_t<Parameters>... arguments) {
  const std::tuple<Parameters...> packed(arguments...);
  Kernel kernel;
  kernel.name = kernel_name(__PRETTY_FUNCTION__);
  kernel.grid = grid;
  kernel.block = block;
  kernel.shared_bytes = shared_bytes;
  kernel.arguments = &packed;
  kernel.body = [](const void* from) {
    std::apply(Function, *static_cast<const std::tuple<Parameters...>*>(from));
  };
  run_grid(kernel);
}

}  // namespace laclip::simt
