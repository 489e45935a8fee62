find_package(Threads REQUIRED)

# laclip_find(NAME HEADER [LIBRARY]): the target laclip_NAME, found by its files. The package files of
# some distributions ask for what a build against the shared library does not use (protobuf's for
# SentencePiece).
function(laclip_find name header)
  find_path(LACLIP_${name}_INCLUDE ${header} PATH_SUFFIXES ${name} REQUIRED)
  add_library(laclip_${name} INTERFACE)
  target_include_directories(laclip_${name} SYSTEM INTERFACE ${LACLIP_${name}_INCLUDE})
  if(ARGN)
    find_library(LACLIP_${name}_LIBRARY ${ARGN} REQUIRED)
    target_link_libraries(laclip_${name} INTERFACE ${LACLIP_${name}_LIBRARY})
  endif()
endfunction()

if(LACLIP_MINIMAL)  # headers alone: CMAKE_PREFIX_PATH may be a folder with include/fmt and so on
  laclip_find(fmt fmt/format.h)
  laclip_find(nlohmann_json nlohmann/json.hpp)
  laclip_find(CLI11 CLI/CLI.hpp)
  target_compile_definitions(laclip_fmt INTERFACE FMT_HEADER_ONLY)
  add_library(fmt::fmt ALIAS laclip_fmt)
  add_library(nlohmann_json::nlohmann_json ALIAS laclip_nlohmann_json)
  add_library(CLI11::CLI11 ALIAS laclip_CLI11)
else()
  find_package(fmt REQUIRED)
  find_package(nlohmann_json REQUIRED)
  find_package(CLI11 REQUIRED)
  find_package(ZLIB REQUIRED)
  laclip_find(sentencepiece sentencepiece_processor.h sentencepiece)
  laclip_find(sentencepiece_train sentencepiece_trainer.h sentencepiece_train)
  laclip_find(jpeg jpeglib.h jpeg)
  laclip_find(utf8proc utf8proc.h utf8proc)
  laclip_find(stb stb_image.h)
  laclip_find(webp webp/decode.h webp)
endif()
if(NOT laclip_use_nvcc)
  laclip_find(context boost/context/detail/fcontext.hpp boost_context)  # fibers of kernels/simt
endif()
