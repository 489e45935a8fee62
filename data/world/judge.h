// Parses a rewrite with the lexicon and says whether it keeps to the facts.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "data/world/language.h"

namespace laclip::world {

// What a text says. Adjectives belong to the noun that follows them; a relation to the nouns around
// it; a number before "objects" is the total.
struct Parsed {
  struct Related {
    size_t first, second;  // mentions
    int relation;
  };
  std::vector<Mention> mentions;
  std::vector<Related> relations;
  std::vector<int> backgrounds, totals;
  int stray = 0;  // adjectives and relations without a noun, attributes that contradict each other
  int unknown = 0;  // words of neither the lexicon nor the styles' templates
};
Parsed parse(const std::string& text);

// Nothing but what the facts hold, no stray or unknown word, at least one object. Facts of a
// caption, or facts_of(scene).
bool holds(const Parsed& text, const Facts& facts);
// As much as the facts hold: as many mentions, attributes, relations.
bool is_complete(const Parsed& text, const Facts& facts);

struct Verdict {
  bool faithful, faithful_to_scene, complete, copy, unknown;
  std::optional<RewriteMode> style;
};
Verdict judge(const std::string& rewrite, const std::string& caption, const Facts& facts,
              const Scene& scene);

// The figures of a set of rewrites of one mode.
class JudgeTally {
 public:
  void add(const std::string& rewrite, RewriteMode mode, const Verdict& verdict);
  Json result() const;  // shares of the rewrites; distinct and distinct_2 for diversity

 private:
  int64_t count_ = 0, faithful_ = 0, scene_ = 0, complete_ = 0, copies_ = 0, unknown_ = 0,
          style_ = 0, pairs_ = 0;
  std::set<std::string> texts_, word_pairs_;
};

}  // namespace laclip::world
