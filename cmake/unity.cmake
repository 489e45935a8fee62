# LACLIP_UNITY: the sources of a folder are compiled as one unit, so that the compiler reads their headers once and
# instantiates their templates once: from scratch that takes half the time. After a change of one source it takes
# longer, because its whole unit is compiled again; and a source may then lean on includes of its neighbours, so the
# preset debug compiles each alone.
option(LACLIP_UNITY "Compile the sources of a folder as one unit: faster from scratch, slower after a change" ON)

# laclip_unity(TARGET SOURCES... [ALONE regex] [MOST number])
#
# A unit is a folder, or MOST sources of one. Folders of one or two sources share a unit. ALONE names the sources that
# stay alone: those with foreign code in them, and large ones, so that all cores have work up to the end. So do those
# that have compile options of their own.
function(laclip_unity target)
  if(NOT LACLIP_UNITY)
    return()
  endif()
  cmake_parse_arguments(arg "" "ALONE;MOST" "" ${ARGN})
  if(arg_ALONE)
    list(FILTER arg_UNPARSED_ARGUMENTS EXCLUDE REGEX "${arg_ALONE}")
  endif()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
  foreach(source ${arg_UNPARSED_ARGUMENTS})
    file(RELATIVE_PATH folder ${CMAKE_SOURCE_DIR} ${source}/..)
    string(MAKE_C_IDENTIFIER ${folder} folder)
    list(APPEND folders ${folder})
    list(APPEND sources_of_${folder} ${source})
  endforeach()
  list(REMOVE_DUPLICATES folders)
  foreach(folder ${folders})
    list(LENGTH sources_of_${folder} count)
    set(unit ${folder})
    if(count LESS 3)
      set(unit small_folders)
    endif()
    set(index 0)
    foreach(source ${sources_of_${folder}})
      if(arg_MOST)
        math(EXPR part "${index} / ${arg_MOST}")
        set(unit ${folder}_${part})
        math(EXPR index "${index} + 1")
      endif()
      set_source_files_properties(${source} PROPERTIES UNITY_GROUP ${unit})
    endforeach()
  endforeach()
endfunction()
