// Captions in the manner of the web, and what they say.
#include <algorithm>
#include <cctype>

#include "data/world/language.h"
#include "data/world/noun_phrase.h"

namespace laclip::world {
namespace {

// What a web caption says of an object: few attributes, at most two.
Mention mention_of(Random& random, const Object& object) {
  Mention mention;
  mention.kind = object.kind;
  const bool says_size = random.uniform() < 0.18f;
  const bool says_texture = random.uniform() < (object.texture == solid ? 0.06f : 0.35f);
  const bool says_colour = random.uniform() < 0.65f;
  if (says_colour) mention.colour = object.colour;
  if (says_size) mention.size = object.size;
  if (says_texture && !(says_colour && says_size)) mention.texture = object.texture;
  return mention;
}

Facts draw_facts(Random& random, const Scene& scene) {
  Facts facts;
  const auto objects = uint32_t(scene.objects.size());
  if (scene.alike) {
    facts.mentions.push_back(mention_of(random, scene.objects[0]));
    if (random.uniform() < 0.75f) facts.mentions[0].count = int(objects);
  } else if (objects == 1 || random.uniform() < 0.45f) {
    facts.mentions.push_back(mention_of(random, scene.objects[random.below(objects)]));
    if (objects == 1 && random.uniform() < 0.15f) facts.mentions[0].count = 1;
    if (objects > 1 && random.uniform() < 0.25f) facts.total = int(objects);
  } else {
    const bool relates = random.uniform() < 0.6f;
    const auto order = random.permutation(objects);
    for (size_t i = 0; i < 2; ++i)
      facts.mentions.push_back(mention_of(random, scene.objects[relates ? i : order[i]]));
    if (relates) facts.relation = scene.relation;
  }
  if (random.uniform() < 0.22f) facts.background = scene.background;
  return facts;
}

template <size_t N>
std::string pick(Random& random, const char* const (&list)[N]) {
  return list[random.below(N)];
}

// File names, shops, hashtags, brands.
std::string noise(Random& random) {
  static const char* const shop[] = {"free shipping", "stock photo", "best price", "new arrival",
                                     "royalty free",  "buy now",     "on sale",    "hd wallpaper"};
  static const char* const tags[] = {"#art",    "#decor", "#instagood",
                                     "#design", "#daily", "#nofilter"};
  static const char* const brands[] = {"Nordwik", "Plimo", "Zanto", "Velaro", "Kubbi"};
  switch (random.below(4)) {
    case 0: {
      static const char* const stems[] = {"IMG_", "DSC", "image-"};
      const std::string stem = pick(random, stems);
      return stem + std::to_string(1000 + random.below(9000)) + ".jpg";
    }
    case 1:
      return pick(random, shop);
    case 2:
      return pick(random, tags);
    default:
      return pick(random, brands);
  }
}

// The words of a mention; now and then the noun is not the last one.
std::string segment(Random& random, const Mention& mention, const FormChoice& choose) {
  NounPhrase phrase = noun_phrase(mention, choose);
  std::vector<std::string> words = phrase.adjectives;
  if (words.size() > 1 && random.uniform() < 0.4f) std::swap(words[0], words[1]);
  const bool salad = random.uniform() < 0.3f;
  const size_t at = salad ? random.below(uint32_t(words.size() + 1)) : words.size();
  words.insert(words.begin() + long(at), phrase.noun);
  words.insert(words.begin(), phrase.count);
  return joined(words);
}

std::string capitals(Random& random, std::string text) {
  const float u = random.uniform();
  const bool all = u < 0.05f, title = u >= 0.05f && u < 0.17f, first = u >= 0.17f && u < 0.3f;
  for (size_t i = 0; i < text.size(); ++i)
    if (all || (title && (i == 0 || text[i - 1] == ' ')) || (first && i == 0))
      text[i] = char(std::toupper(uint8_t(text[i])));
  return text;
}

std::string with_typo(Random& random, std::string text) {
  if (text.size() > 3 && random.uniform() < 0.02f) {
    const size_t at = random.below(uint32_t(text.size() - 1));
    if (text[at] != ' ' && text[at + 1] != ' ') std::swap(text[at], text[at + 1]);
  }
  return text;
}

}  // namespace

AltText alt_text(const Scene& scene, const AltTextOptions& options) {
  Random random = scene.id.random(RandomUse::world_text);
  AltText result;
  result.facts = draw_facts(random, scene);
  const Facts& facts = result.facts;
  const FormChoice choose = [&](Category category, int value) -> const Form& {
    return draw_form(random, category, value, options.plain_share);
  };
  static const char* const separators[] = {", ", " | ", " - ", " + ", " & "};
  const std::string separator = pick(random, separators);

  std::string core = segment(random, facts.mentions[0], choose);
  if (facts.relation >= 0) core += " " + choose(Category::relation, facts.relation).text + " ";
  if (facts.mentions.size() > 1) {
    if (facts.relation < 0) core += separator;
    core += segment(random, facts.mentions[1], choose);
  }
  if (facts.background >= 0) {
    static const char* const phrases[] = {" on {}", "{} backdrop", "{} bg", "{} background"};
    const std::string phrase =
        filled(pick(random, phrases), "{}", choose(Category::background, facts.background).text);
    core += (phrase[0] == ' ' ? "" : separator) + phrase;
  }
  if (facts.total > 0) {
    Mention things;
    things.count = facts.total;
    core += separator + segment(random, things, choose);
  }
  result.text = capitals(random, with_typo(random, core));
  const size_t pieces = random.uniform() < 0.7f ? (random.uniform() < 0.25f ? 2 : 1) : 0;
  for (size_t i = 0; i < pieces; ++i) {
    const std::string piece = noise(random);
    const bool front = piece[0] != '#' && random.below(2) == 0;
    result.text = front ? piece + separator + result.text
                        : result.text + (piece[0] == '#' ? " " : separator) + piece;
  }
  return result;
}

}  // namespace laclip::world
