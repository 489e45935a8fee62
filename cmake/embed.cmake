# laclip_embed(OUTPUT HEADER VARIABLE FILES...): a source file that defines
#   const std::vector<std::pair<std::string_view, std::string_view>> VARIABLE
# with the name and the bytes of each file, which the assembler takes in as they are.
function(laclip_embed output header variable)
  set(bytes "")
  set(symbols "")
  set(rows "")
  set(index 0)
  foreach(file ${ARGN})
    get_filename_component(path ${file} ABSOLUTE)
    get_filename_component(name ${file} NAME)
    set(symbol ${variable}_${index})
    math(EXPR index "${index} + 1")
    string(APPEND bytes "    \"${symbol}: .incbin \\\"${path}\\\"\\n${symbol}_end: .byte 0\\n\"\n")
    string(APPEND symbols "extern const char ${symbol}[], ${symbol}_end[];\n")
    string(APPEND rows "    {\"${name}\", {${symbol}, size_t(${symbol}_end - ${symbol})}},\n")
  endforeach()
  file(CONFIGURE OUTPUT ${output} @ONLY CONTENT
"#include \"${header}\"

asm(\".pushsection .rodata\\n\"
${bytes}    \".popsection\\n\");
extern \"C\" {
${symbols}}

namespace laclip {
const std::vector<std::pair<std::string_view, std::string_view>> ${variable}{
${rows}};
}  // namespace laclip
")
  set_source_files_properties(${output} PROPERTIES OBJECT_DEPENDS "${ARGN}")
endfunction()
