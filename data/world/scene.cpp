#include "data/world/scene.h"

#include <algorithm>

namespace laclip::world {
namespace {

constexpr float kRadius[] = {0.15f, 0.195f, 0.25f};          // small, medium, large
constexpr float kAlone = 2.2f;                               // times these, for the only object
constexpr float kInnerRadius = 0.14f, kOuterRadius = 0.40f;  // of the relation `inside`

int draw(Random& random, Category category) {
  return int(random.below(uint32_t(concepts(category))));
}

int draw_texture(Random& random) {
  return random.uniform() < 0.4f ? int(solid) : 1 + int(random.below(3));
}

// A colour that the eye can hardly tell from the background.
bool is_camouflage(int colour, int background) {
  static const char* const pairs[][2] = {{"green", "grass"},
                                         {"white", "snow"},
                                         {"black", "night"},
                                         {"cyan", "sky"},
                                         {"brown", "wall"}};
  for (const auto& [a, b] : pairs)
    if (plain(Category::colour, colour) == a && plain(Category::background, background) == b)
      return true;
  return false;
}

int draw_count(Random& random, const SceneWish& wish) {
  if (wish.count > 0) return wish.count;
  if (wish.relation >= 0) return 2;
  const float u = random.uniform();
  return u < 0.5f ? 1 : u < 0.8f ? 2 : u < 0.9f ? 3 : 4;
}

void draw_kinds(Random& random, const SceneWish& wish, Scene& scene) {
  // Kinds and colours differ within a scene, so that a name tells which object is meant.
  auto kinds = random.permutation(uint32_t(concepts(Category::kind)));
  auto colours = random.permutation(uint32_t(concepts(Category::colour)));
  const auto to_front = [](std::vector<uint32_t>& order, size_t at, int value) {
    if (value >= 0) std::swap(order[at], *std::find(order.begin(), order.end(), uint32_t(value)));
  };
  to_front(kinds, 0, wish.kind);
  to_front(kinds, 1, wish.second_kind);
  to_front(colours, 0, wish.colour);
  if (scene.relation == inside && wish.second_kind < 0) {
    const auto container = std::find_if(kinds.begin() + 1, kinds.end(),
                                        [](uint32_t k) { return is_container(int(k)); });
    std::swap(kinds[1], *container);
  }
  for (size_t i = 0; i < scene.objects.size(); ++i) {
    Object& object = scene.objects[i];
    object.kind = int(kinds[i]);
    object.colour = int(colours[i]);
    object.size = draw(random, Category::size);
    object.texture = draw_texture(random);
    if (scene.alike && i > 0) object = scene.objects[0];
  }
}

// Objects lie in the cells of a 2 × 2 grid, two objects in its middle row or column.
void place(Random& random, Scene& scene) {
  auto& objects = scene.objects;
  const auto jitter = [&](float radius, float room) {
    const float reach = std::max(room - radius, 0.0f);
    return random.uniform(-reach, reach);
  };
  for (Object& object : objects) object.radius = kRadius[object.size];
  if (objects.size() == 1) {
    objects[0].radius = std::min(objects[0].radius * kAlone, 0.46f);
    objects[0].x = 0.5f + jitter(objects[0].radius, 0.45f);
    objects[0].y = 0.5f + jitter(objects[0].radius, 0.45f);
    return;
  }
  if (scene.relation == inside) {
    objects[0].size = small;
    objects[1].size = large;
    objects[0].radius = kInnerRadius;
    objects[1].radius = kOuterRadius;
    objects[1].x = 0.5f + random.uniform(-0.08f, 0.08f);
    objects[1].y = 0.5f + random.uniform(-0.08f, 0.08f);
    objects[0].x = objects[1].x + random.uniform(-0.03f, 0.03f);
    objects[0].y = objects[1].y + random.uniform(-0.03f, 0.03f);
    return;
  }
  // Cells 0 1 / 2 3. The first two objects lie as their relation says, the others anywhere else.
  int relation = scene.relation >= 0 ? scene.relation : int(random.below(4));
  const int line = int(random.below(2));
  const bool horizontal = relation == left_of || relation == right_of;
  int cells[2] = {horizontal ? 2 * line : line, horizontal ? 2 * line + 1 : line + 2};
  if (relation == right_of || relation == below) std::swap(cells[0], cells[1]);
  std::vector<int> order{cells[0], cells[1]};
  for (uint32_t cell : random.permutation(4))
    if (int(cell) != cells[0] && int(cell) != cells[1]) order.push_back(int(cell));
  const float shift =
      objects.size() == 2 ? random.uniform(0.0f, 0.3f) * (line ? -1.0f : 1.0f) : 0.0f;
  for (size_t i = 0; i < objects.size(); ++i) {
    Object& object = objects[i];
    object.x = (order[i] % 2 ? 0.75f : 0.25f) + jitter(object.radius, 0.25f);
    object.y = (order[i] / 2 ? 0.75f : 0.25f) + jitter(object.radius, 0.25f);
    (horizontal ? object.y : object.x) += shift;
  }
}

}  // namespace

bool is_container(int kind) {
  static const std::vector<int> containers = [] {
    std::vector<int> values;
    for (const char* name : {"circle", "square", "triangle", "star", "heart", "house", "flower",
                             "cup", "cloud", "diamond", "hexagon"})
      values.push_back(*value_of(Category::kind, name));
    return values;
  }();
  return std::find(containers.begin(), containers.end(), kind) != containers.end();
}

Scene make_scene(const SceneId& id, const SceneWish& wish) {
  Random random = id.random(RandomUse::world_scene);
  Scene scene;
  scene.id = id;
  const int count = draw_count(random, wish);
  scene.objects.resize(size_t(count));
  scene.alike = count > 1 && wish.relation < 0 && random.uniform() < (count == 2 ? 0.25f : 0.5f);
  if (count > 1 && !scene.alike)
    scene.relation = wish.relation >= 0 ? wish.relation : int(random.below(count == 2 ? 5 : 4));
  draw_kinds(random, wish, scene);
  do {
    scene.background = draw(random, Category::background);
  } while (std::any_of(scene.objects.begin(), scene.objects.end(), [&](const Object& object) {
    return is_camouflage(object.colour, scene.background);
  }));
  place(random, scene);
  return scene;
}

Json to_json(const Scene& scene) {
  Json objects = Json::array();
  for (const Object& object : scene.objects)
    objects.push_back({{"kind", plain(Category::kind, object.kind)},
                       {"colour", plain(Category::colour, object.colour)},
                       {"size", plain(Category::size, object.size)},
                       {"texture", plain(Category::texture, object.texture)}});
  Json json = {{"objects", objects},
               {"count", scene.objects.size()},
               {"background", plain(Category::background, scene.background)}};
  if (scene.relation >= 0) json["relation"] = plain(Category::relation, scene.relation);
  return json;
}

}  // namespace laclip::world
