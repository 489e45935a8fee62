# LACLIP_CUDA: kernels/cuda/*.cu are compiled by nvcc for a GPU, or as C++ against kernels/simt, which
# runs them on the host. Either way the program has Device::cuda.
find_package(CUDAToolkit QUIET)
set(laclip_use_nvcc OFF)
file(GLOB gpus /dev/nvidia[0-9]*)
if(LACLIP_CUDA STREQUAL "ON")
  if(NOT CUDAToolkit_FOUND)
    message(FATAL_ERROR "LACLIP_CUDA=ON, but there is no CUDA toolkit; put nvcc into PATH or set CUDAToolkit_ROOT")
  endif()
  set(laclip_use_nvcc ON)
elseif(LACLIP_CUDA STREQUAL "AUTO")
  if(CUDAToolkit_FOUND AND gpus)
    set(laclip_use_nvcc ON)
  endif()
elseif(NOT LACLIP_CUDA STREQUAL "OFF")
  message(FATAL_ERROR "LACLIP_CUDA is ${LACLIP_CUDA}; it can be AUTO, ON or OFF")
endif()

if(laclip_use_nvcc)
  if(NOT CMAKE_CUDA_ARCHITECTURES)
    set(architecture 90a-real)  # an H100's, where there is no GPU to ask
    if(gpus)
      set(architecture native)
    endif()
    set(CMAKE_CUDA_ARCHITECTURES ${architecture} CACHE STRING
        "Compute capabilities: 80, 89, 90a-real, 100, 120 or several; native = the GPU's that is here")
  endif()
  enable_language(CUDA)
  if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)  # CMake 3.25 does not know that nvcc has it
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
    set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
  endif()
  message(STATUS "Device::cuda: nvcc ${CMAKE_CUDA_COMPILER_VERSION} for ${CMAKE_CUDA_ARCHITECTURES}")
else()
  message(STATUS "Device::cuda: the kernels run on the host (LACLIP_CUDA=ON for a GPU)")
endif()

# Adds kernels/cuda/*.cu, and for the host kernels/simt.
function(laclip_cuda_sources target)
  file(GLOB sources CONFIGURE_DEPENDS kernels/cuda/*.cu)
  if(laclip_use_nvcc)
    target_sources(${target} PRIVATE ${sources})
    target_compile_options(${target} PRIVATE
      $<$<COMPILE_LANGUAGE:CUDA>:--expt-relaxed-constexpr --extended-lambda -lineinfo
        -DFMT_CONSTEVAL= -DFMT_USE_CONSTEXPR=1  # what fmt does at compile time, nvcc cannot follow
        -diag-suppress=20208>  # nor its long double, when it is headers alone
      # A sixth of the size; unpacked when a program starts.
      $<$<AND:$<COMPILE_LANGUAGE:CUDA>,$<VERSION_GREATER_EQUAL:${CMAKE_CUDA_COMPILER_VERSION},12.4>>:--compress-mode=size>)
    target_link_libraries(${target} PRIVATE CUDA::cudart_static ${CMAKE_DL_LIBS})
  else()
    file(GLOB simt CONFIGURE_DEPENDS kernels/simt/*.cpp)
    target_sources(${target} PRIVATE ${simt})
    target_link_libraries(${target} PUBLIC laclip_context)
    target_compile_definitions(${target} PUBLIC LACLIP_SIMT)
    laclip_unity(${target} ${simt})
    add_library(${target}_cuda OBJECT ${sources})
    laclip_unity(${target}_cuda ${sources} MOST 7)
    set_source_files_properties(${sources} PROPERTIES LANGUAGE CXX)
    # nvcc's `#pragma unroll` is not the host compiler's. Fibers take the time here and not arithmetic:
    # -O3 would compile twice as long for kernels that are run to be checked.
    target_compile_options(${target}_cuda PRIVATE -Wno-unknown-pragmas "$<$<CONFIG:Release,RelWithDebInfo>:-O1>")
    target_compile_definitions(${target}_cuda PRIVATE LACLIP_SIMT)
    target_include_directories(${target}_cuda PRIVATE ${CMAKE_BINARY_DIR}/view/kernels)
    target_link_libraries(${target}_cuda PRIVATE laclip_options laclip_base laclip_context)
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:${target}_cuda>)
  endif()
endfunction()
