// The words of the small world. Every concept has a plain English name, the one that zero-shot
// tasks use, and a few other surface forms: synonyms, trade jargon, names of product series. A form
// belongs to one concept only, so a text can be parsed back into concepts.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/philox.h"

namespace laclip::world {

enum class Category { kind, colour, size, texture, relation, background, count, thing };
constexpr int kCategories = 8;
std::string name_of(Category category);

// Values of relation, and of size and texture, that drawing gives a meaning to.
enum Relation { left_of, right_of, above, below, inside };
enum Size { small, medium, large };
enum Texture { solid, striped, dotted, checked };
Relation converse(Relation relation);  // left_of of right_of, …; `inside` has none and stays

struct Form {
  std::string text, plural;  // one to three words; the plural of kinds and things
};
using Concept = std::vector<Form>;  // the plain name first

int concepts(Category category);  // their number; the count "one" is value 0
const Concept& concept_of(Category category, int value);
const std::string& plain(Category category, int value);
// The value whose plain name this is.
std::optional<int> value_of(Category category, std::string_view plain_name);

// A form of a concept: the plain name with probability `plain_share`, otherwise one of the others,
// of which the first is the most frequent.
const Form& draw_form(Random& random, Category category, int value, double plain_share);
// Any form with equal probability.
const Form& draw_form(Random& random, Category category, int value);

// Lower-case words: runs of letters, digits and inner hyphens.
std::vector<std::string> words_of(std::string_view text);

// The longest form that begins at words[at].
struct Match {
  Category category;
  int value;
  bool plural;
  size_t words;
};
std::optional<Match> match_form(const std::vector<std::string>& words, size_t at);

// Each single-word form with the other single-word forms of its concept (plurals with plurals).
std::vector<std::vector<std::string>> synonym_groups();

}  // namespace laclip::world
