#include "data/world/noun_phrase.h"

namespace laclip::world {

NounPhrase noun_phrase(const Mention& mention, const FormChoice& choose) {
  NounPhrase phrase;
  if (mention.count > 0) {
    const Form& form = choose(Category::count, mention.count - 1);
    phrase.count = form.text;
    phrase.takes_article = form.text.ends_with(" of") ||
                           (mention.count == 1 && form.text != plain(Category::count, 0));
  }
  for (const auto& [category, value] : {std::pair{Category::size, mention.size},
                                        {Category::texture, mention.texture},
                                        {Category::colour, mention.colour}})
    if (value >= 0) phrase.adjectives.push_back(choose(category, value).text);
  const Form& noun =
      mention.kind >= 0 ? choose(Category::kind, mention.kind) : choose(Category::thing, 0);
  phrase.noun = mention.count > 1 ? noun.plural : noun.text;
  return phrase;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words)
    if (!word.empty()) text += (text.empty() ? "" : " ") + word;
  return text;
}

std::string with_article(const std::string& text) {
  // "uniform" and "unpatterned" differ as "university" and "umbrella" do.
  const bool vowel = std::string_view("aeiou").find(text[0]) != std::string_view::npos;
  return (vowel && !text.starts_with("uniform") ? "an " : "a ") + text;
}

std::string filled(std::string text, const std::string& hole, const std::string& value) {
  for (size_t at = 0; (at = text.find(hole, at)) != std::string::npos; at += value.size())
    text.replace(at, hole.size(), value);
  return text;
}

}  // namespace laclip::world
