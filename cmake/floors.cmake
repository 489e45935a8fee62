# laclip_library(NAME DEPENDS floors-and-public-libraries... LIBRARIES private-libraries...)
#
# Makes the static library laclip_NAME of all .cpp files in the folder NAME. Its headers are
# reached as "NAME/x.h" through a view folder that holds nothing but a link to NAME, and a folder
# is given the views of its DEPENDS only: an include against the floors does not compile.
function(laclip_library name)
  cmake_parse_arguments(arg "" "" "DEPENDS;LIBRARIES" ${ARGN})
  set(view ${CMAKE_BINARY_DIR}/view/${name})
  file(MAKE_DIRECTORY ${view})
  file(CREATE_LINK ${CMAKE_SOURCE_DIR}/${name} ${view}/${name} SYMBOLIC)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${name}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "apps/laclip\\.cpp$|/kernels/simt/")  # simt: cuda.cmake
  if(sources)
    add_library(laclip_${name} STATIC ${sources})
    set(scope PUBLIC)
    target_link_libraries(laclip_${name} PRIVATE laclip_options ${arg_LIBRARIES})
  else()
    add_library(laclip_${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(laclip_${name} ${scope} ${view})
  foreach(dependency ${arg_DEPENDS})
    if(TARGET laclip_${dependency})
      target_link_libraries(laclip_${name} ${scope} laclip_${dependency})
    else()
      target_link_libraries(laclip_${name} ${scope} ${dependency})
    endif()
  endforeach()
endfunction()
