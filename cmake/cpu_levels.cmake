# The CPU ops for each instruction set (kernels/core/cpu_level.h): every file of kernels/cpu is compiled once a level,
# into the namespace of that name; all but the two largest in one unit. The objects of a level are linked into one,
# whose symbols are all local except that namespace's: the linker keeps a single copy of each inline function, and that
# copy must not need AVX-512.
set(laclip_cpu_levels baseline)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(laclip_cpu_levels baseline avx2 avx512)
  set(laclip_options_of_baseline -march=x86-64-v2)
  set(laclip_options_of_avx2 -march=x86-64-v3)
  # g++ 12 prefers 256-bit vectors on machines whose 512-bit units cost no clock.
  set(laclip_options_of_avx512 -march=x86-64-v4 -mprefer-vector-width=512)
endif()

function(laclip_cpu_sources target)
  file(GLOB sources CONFIGURE_DEPENDS kernels/cpu/*.cpp)
  foreach(level ${laclip_cpu_levels})
    set(library ${target}_${level})
    add_library(${library} OBJECT ${sources})
    laclip_unity(${library} ${sources} ALONE "/(gemm|kv_cache)\\.cpp$")
    target_compile_options(${library} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fno-gnu-unique>)  # unique is global
    add_library(${library}_options INTERFACE)  # after laclip_options, so that their -march wins
    target_compile_options(${library}_options INTERFACE ${laclip_options_of_${level}})
    target_compile_definitions(${library} PRIVATE LACLIP_CPU_LEVEL=${level})
    target_include_directories(${library} PRIVATE ${CMAKE_BINARY_DIR}/view/kernels)
    target_link_libraries(${library} PRIVATE laclip_options laclip_base ${library}_options)
    set(object ${CMAKE_BINARY_DIR}/cpu_${level}.o)
    add_custom_command(OUTPUT ${object}
      COMMAND ${CMAKE_LINKER} -r --force-group-allocation -o ${object} $<TARGET_OBJECTS:${library}>
      COMMAND ${CMAKE_OBJCOPY} --wildcard --keep-global-symbol=*laclip3cpu*${level}* ${object}
      DEPENDS ${library} $<TARGET_OBJECTS:${library}> COMMAND_EXPAND_LISTS VERBATIM)
    target_sources(${target} PRIVATE ${object})
  endforeach()
endfunction()
