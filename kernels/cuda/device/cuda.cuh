// The CUDA language: of nvcc, or of the host execution (kernels/simt).
#pragma once

#ifdef __CUDACC__
#include <cuda_runtime.h>
#else
#include "kernels/simt/cuda_shim.h"
#endif
