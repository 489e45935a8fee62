# LACLIP_PACK: laclip (the commands of a minimal build) and laclip_gpu_tests for a machine that has a GPU, its
# driver and glibc, and nothing else: all other libraries are linked statically. scripts/gpu makes an archive
# of them.
if(NOT LACLIP_PACK)
  return()
endif()
set(LACLIP_MINIMAL ON)
set(LACLIP_NATIVE OFF)
set(LACLIP_TESTS ON)
if(NOT CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 90a-real CACHE STRING "Compute capability of the GPU that the pack is for")
endif()
add_link_options(-static-libstdc++ -static-libgcc)
