// The language of the small world.
//
//   alt_text       what stands beside an image on the web: partial, noisy, full of jargon
//   rewrite        the same facts in one of four manners, each concept in any of its forms
//   plain_caption  all facts of the scene in plain names, for retrieval
//
// A rewrite is made of the caption's facts alone; the scene is not known to it.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/philox.h"
#include "data/prompts.h"
#include "data/world/scene.h"

namespace laclip::world {

// Objects that a text speaks of; -1: not said.
struct Mention {
  int kind = -1, colour = -1, size = -1, texture = -1;
  int count = 0;  // 0: a single one, its number not stressed; 1: "a single circle"; 2 …: alike ones
};

struct Facts {
  std::vector<Mention> mentions;  // one or two
  int relation = -1;              // mentions[0] is so to mentions[1]
  int background = -1;
  int total = 0;  // of all objects; 0: not said
};
Json to_json(const Facts& facts);
Facts facts_of(const Scene& scene);  // everything, all objects

struct AltTextOptions {
  double plain_share = 0.08;  // of plain names among the forms
};
struct AltText {
  std::string text;
  Facts facts;
};
AltText alt_text(const Scene& scene, const AltTextOptions& options);

std::string rewrite(Random& random, RewriteMode style, const Facts& facts);
std::string plain_caption(const Scene& scene);

}  // namespace laclip::world
