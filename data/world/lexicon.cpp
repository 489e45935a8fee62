#include "data/world/lexicon.h"

#include <cctype>
#include <map>

#include "base/check.h"

namespace laclip::world {
namespace {

// Forms are separated by "|"; "leaf/leaves" gives an irregular plural.
const std::vector<std::vector<const char*>> kForms = {
    {"circle|orb|disc|lumo-sun",
     "square|tile|block|quadro-kit",
     "triangle|wedge|trigon|delta-peak",
     "star|pentacle|twinkler|astro-five",
     "heart|valentine|lovelet|cardio-mo",
     "cross|plus-sign|crux|medi-mark",
     "ring|hoop|annulus|halo-band",
     "crescent|half-moon|lunette|luna-curve",
     "arrow|pointer|dart|direct-o",
     "house|cottage|cabin|casa-mini",
     "tree|conifer|pine|arbo-fir",
     "fish|trout|guppy|aqua-fin",
     "flower|blossom|bloom|petal-joy",
     "boat|sailer|yacht|nauti-go",
     "key|latchkey|opener|klavi-lock",
     "cup|mug|tumbler|sip-ware",
     "mushroom|toadstool|champignon|shroomi",
     "umbrella|parasol|brolly|rain-dome",
     "bell|chime|ringer|tolly-dong",
     "leaf/leaves|frond|foliole|herba-vein",
     "cloud|cumulus|nimbus|nebu-soft",
     "bolt|zigzag|flash|volt-zap",
     "diamond|rhombus|lozenge|gemmo-cut",
     "hexagon|hexa|honeycomb|six-cell"},
    {"red|crimson|ruby|scarlet", "orange|tangerine|amber|apricot", "yellow|lemon|canary|citron",
     "green|emerald|jade|viridian", "blue|sapphire|cobalt|navy", "purple|violet|amethyst|plum",
     "pink|rose|fuchsia|blush", "brown|chocolate|chestnut|umber", "black|ebony|onyx|jet",
     "white|ivory|pearl|alabaster", "grey|slate|ash|steel", "cyan|turquoise|aqua|lagoon"},
    {"small|tiny|mini|petite", "medium|midsize|regular|standard", "large|big|huge|jumbo"},
    {"solid|uniform|unpatterned", "striped|banded|lined|pinstripe", "dotted|spotted|polka|speckled",
     "checked|plaid|gingham|tartan"},
    {"left of|to left of|leftward of|lhs of", "right of|to right of|rightward of|rhs of",
     "above|over|atop|on top of", "below|under|beneath|underneath",
     "inside|within|enclosed by|framed by"},
    {"sky|heavens|airspace", "grass|lawn|turf|meadow", "sand|beach|dune|shoreline",
     "night|midnight|nocturne", "wall|brickwork|masonry", "snow|frost|powder"},
    {"one|single|lone|solo", "two|twin|pair of|duo of", "three|triple|trio of|triplet of",
     "four|quad|quartet of|foursome of"},
    {"object|item|piece"}};

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(separator, begin), text.size());
    parts.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::string plural_of(const std::string& noun) {
  const char last = noun.back(), before = noun[noun.size() - 2];
  const bool hisses =
      last == 's' || last == 'x' || (last == 'h' && (before == 's' || before == 'c'));
  if (last == 'y' && std::string_view("aeiou").find(before) == std::string_view::npos)
    return noun.substr(0, noun.size() - 1) + "ies";
  return noun + (hisses ? "es" : "s");
}

struct Tables {
  std::vector<std::vector<Concept>> concepts;
  std::map<std::string, Match> forms;

  Tables() {
    for (size_t c = 0; c < kForms.size(); ++c) {
      const auto category = Category(c);
      const bool noun = category == Category::kind || category == Category::thing;
      concepts.emplace_back();
      for (const char* row : kForms[c]) {
        const int value = int(concepts.back().size());
        concepts.back().emplace_back();
        for (const std::string& text : split(row, '|')) {
          const auto parts = split(text, '/');
          const std::string plural = !noun ? "" : parts.size() > 1 ? parts[1] : plural_of(parts[0]);
          concepts.back().back().push_back({parts[0], plural});
          add(parts[0], {category, value, false, split(parts[0], ' ').size()});
          if (noun) add(plural, {category, value, true, 1});
        }
      }
    }
  }
  void add(const std::string& text, const Match& match) {
    check(forms.emplace(text, match).second, "the form '{}' belongs to two concepts", text);
  }
};

const Tables& tables() {
  static const Tables instance;
  return instance;
}

}  // namespace

std::string name_of(Category category) {
  static const char* const names[] = {"kind",     "colour",     "size",  "texture",
                                      "relation", "background", "count", "thing"};
  return names[int(category)];
}

Relation converse(Relation relation) {
  static constexpr Relation other[] = {right_of, left_of, below, above, inside};
  return other[relation];
}

int concepts(Category category) { return int(tables().concepts[size_t(category)].size()); }

const Concept& concept_of(Category category, int value) {
  return tables().concepts[size_t(category)].at(size_t(value));
}

const std::string& plain(Category category, int value) {
  return concept_of(category, value)[0].text;
}

std::optional<int> value_of(Category category, std::string_view plain_name) {
  for (int value = 0; value < concepts(category); ++value)
    if (plain(category, value) == plain_name) return value;
  return std::nullopt;
}

const Form& draw_form(Random& random, Category category, int value, double plain_share) {
  const Concept& forms = concept_of(category, value);
  if (double(random.uniform()) < plain_share) return forms[0];
  // The other forms with weights n, n-1, …, 1.
  const auto others = uint32_t(forms.size() - 1);
  uint32_t at = random.below(others * (others + 1) / 2);
  size_t form = 1;
  for (uint32_t weight = others; at >= weight; --weight, ++form) at -= weight;
  return forms[form];
}

const Form& draw_form(Random& random, Category category, int value) {
  const Concept& forms = concept_of(category, value);
  return forms[random.below(uint32_t(forms.size()))];
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  for (size_t i = 0; i <= text.size(); ++i) {
    const auto c = i < text.size() ? uint8_t(text[i]) : uint8_t(' ');
    const bool inner_hyphen =
        c == '-' && !word.empty() && i + 1 < text.size() && std::isalnum(uint8_t(text[i + 1]));
    if (std::isalnum(c) || c >= 0x80 || inner_hyphen) {
      word += char(std::tolower(c));
    } else if (!word.empty()) {
      words.push_back(std::move(word));
      word.clear();
    }
  }
  return words;
}

std::optional<Match> match_form(const std::vector<std::string>& words, size_t at) {
  std::optional<Match> best;
  std::string text;
  for (size_t length = 1; length <= 3 && at + length <= words.size(); ++length) {
    text += (length > 1 ? " " : "") + words[at + length - 1];
    if (const auto found = tables().forms.find(text); found != tables().forms.end())
      best = found->second;
  }
  return best;
}

std::vector<std::vector<std::string>> synonym_groups() {
  std::vector<std::vector<std::string>> groups;
  for (const auto& category : tables().concepts)
    for (const Concept& forms : category) {
      std::vector<std::string> singular, plural;
      for (const Form& form : forms) {
        if (form.text.find(' ') == std::string::npos) singular.push_back(form.text);
        if (!form.plural.empty()) plural.push_back(form.plural);
      }
      for (auto& group : {singular, plural})
        if (group.size() > 1) groups.push_back(group);
    }
  return groups;
}

}  // namespace laclip::world
