// The four manners of rewriting, as data: templates with holes, and the marks by which a text is
// told to be of one of them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "data/prompts.h"

namespace laclip::world {

struct Style {
  std::vector<std::string> frames;        // {}: the objects, {bg}: the background's part
  std::vector<std::string> backgrounds;   // {}: its name
  std::vector<std::string> pairs;         // {a}, {b}: two objects without a relation
  std::vector<std::string> relations;     // {a} {rel} {b}
  std::vector<std::string> totals;        // {}: "three objects", behind the objects
  std::vector<std::string> marks;         // every text of the style holds one; none: coco
  bool articles = true, sentence = true;  // a sentence has a capital and a full stop
};
const Style& style_of(RewriteMode mode);

// The style whose marks and form a text shows.
std::optional<RewriteMode> recognise_style(const std::string& text);

// The words of all templates, sorted: with the lexicon's forms, all that a rewrite may hold.
const std::vector<std::string>& template_words();

}  // namespace laclip::world
