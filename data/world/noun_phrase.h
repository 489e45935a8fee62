// Noun phrases of both parts of the language: count, size, texture, colour, noun.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "data/world/language.h"

namespace laclip::world {

using FormChoice = std::function<const Form&(Category, int value)>;

struct NounPhrase {
  std::string count;                    // "trio of", or ""
  std::vector<std::string> adjectives;  // size, texture, colour
  std::string noun;
  bool takes_article = true;  // "a red orb", "a trio of orbs", but "three orbs"
};
NounPhrase noun_phrase(const Mention& mention, const FormChoice& choose);

std::string joined(const std::vector<std::string>& words);  // with spaces; empty words are left out
std::string with_article(const std::string& text);          // "a" or "an"
std::string filled(std::string text, const std::string& hole, const std::string& value);

}  // namespace laclip::world
