// A scene of the small world: one to four objects before a background. A scene is a pure function
// of (seed, split, index) and of what is wished of it.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/philox.h"
#include "data/world/lexicon.h"

namespace laclip::world {

// Disjoint families of scenes.
enum class Split : uint32_t {
  train,
  kind_task,
  colour_kind_task,
  relation_task,
  count_task,
  retrieval,
  example_pairs,
  documents,
  heldout,
};

struct SceneId {
  uint64_t seed = 0;
  Split split = Split::train;
  uint64_t index = 0;
  Random random(RandomUse use) const { return Random(seed, use, index, uint32_t(split)); }
};

struct Object {
  int kind = 0, colour = 0, size = 0, texture = 0;
  float x = 0.5f, y = 0.5f, radius = 0.2f;  // in units of the image's side, y downwards
};

struct Scene {
  SceneId id;  // clutter, lighting and noise are drawn from it
  std::vector<Object> objects;
  bool alike = false;  // the objects are of one kind, colour, size and texture
  int relation = -1;   // objects[0] is so to objects[1]; -1: none (one object, or alike ones)
  int background = 0;
};

// What a task wants: -1 leaves it to chance.
struct SceneWish {
  int kind = -1, colour = -1;  // of the first object
  int second_kind = -1;
  int relation = -1;
  int count = -1;  // number of objects
};

Scene make_scene(const SceneId& id, const SceneWish& wish = {});
Json to_json(const Scene& scene);  // in plain names

// Kinds that have room for another object inside.
bool is_container(int kind);

}  // namespace laclip::world
