# Warnings are errors; floating point keeps its meaning (no -ffast-math) except that a*b+c may
# contract to an FMA (which g++ does not do by itself under -std=c++20) and errno and traps are
# off, so that loops vectorise.
add_library(laclip_options INTERFACE)
# nvcc has its own (cuda.cmake).
function(laclip_cxx_options)
  target_compile_options(laclip_options INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:${ARGN}>")
endfunction()
laclip_cxx_options(
  -Wall -Wextra -Wshadow -Wpedantic -Werror -fopenmp-simd -fno-math-errno -fno-trapping-math
  -ffp-contract=fast
  -fmacro-prefix-map=${CMAKE_SOURCE_DIR}/= -fmacro-prefix-map=${CMAKE_BINARY_DIR}/view/=)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 sees overlaps in `"literal" + std::string` that are not there (GCC bug 105651).
  laclip_cxx_options(-Wno-restrict)
  if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
    # Tuned for a new Zen, g++ leaves some sums uncontracted (a chain of FMAs has a longer latency)
    # and contracts others. Then a row of a small product has other bits alone than among eight rows.
    laclip_cxx_options(--param=avoid-fma-max-bits=0)
  endif()
endif()
if(LACLIP_NATIVE)
  laclip_cxx_options(-march=native)
elseif(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  laclip_cxx_options(-march=x86-64-v2)
endif()
if(LACLIP_SANITIZE)
  laclip_cxx_options(
    -fsanitize=${LACLIP_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(laclip_options INTERFACE -fsanitize=${LACLIP_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # The checks in between hide from g++ 12 what the standard library has set (GCC bug 105562).
    laclip_cxx_options(-Wno-maybe-uninitialized)
  endif()
endif()
