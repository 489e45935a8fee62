# laclip_embed(OUTPUT HEADER VARIABLE FILES...): a source file that defines
#   const std::vector<std::pair<std::string_view, std::string_view>> VARIABLE
# with the name (without extension) and the text of each file.
function(laclip_embed output header variable)
  set(rows "")
  foreach(file ${ARGN})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    file(READ ${file} text)
    get_filename_component(name ${file} NAME_WLE)
    string(APPEND rows "    {\"${name}\", R\"embedded(${text})embedded\"},\n")
  endforeach()
  file(CONFIGURE OUTPUT ${output} @ONLY CONTENT
"#include \"${header}\"

namespace laclip {
const std::vector<std::pair<std::string_view, std::string_view>> ${variable}{
${rows}};
}  // namespace laclip
")
endfunction()
