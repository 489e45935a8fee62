// Include it once in a test program: where kernels run on the host, device memory is closed to host code
// there and in the programs it starts (kernels/simt/settings.h).
#pragma once

#include <cstdlib>

namespace laclip::test {

[[maybe_unused]] inline const bool kDeviceMemoryIsGuarded =
    ::setenv("LACLIP_SIMT", "guard", 0) == 0;  // before anything asks for it

}  // namespace laclip::test
