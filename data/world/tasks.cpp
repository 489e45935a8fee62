#include "data/world/tasks.h"

#include <fmt/core.h>

#include "data/world/noun_phrase.h"

namespace laclip::world {
namespace {

void add_class(Task& task, const std::string& name, const SceneWish& wish) {
  task.classes.push_back(
      {fmt::format("{:02}_{}", task.classes.size(), filled(name, " ", "_")), name, wish});
}

}  // namespace

std::vector<Task> tasks() {
  const std::vector<std::string> templates = {"a drawing that shows a {}", "here is a {} to see",
                                              "this is a {}", "a sketch with a {} in it"};
  Task kind{"kind", Split::kind_task, {}, templates};
  Task colour_kind{"colour_kind", Split::colour_kind_task, {}, templates};
  const int colours = concepts(Category::colour);
  for (int k = 0; k < concepts(Category::kind); ++k) {
    const std::string& noun = plain(Category::kind, k);
    add_class(kind, noun, {.kind = k, .count = 1});
    for (int colour : {k % colours, (k + 5) % colours})
      add_class(colour_kind, plain(Category::colour, colour) + " " + noun,
                {.kind = k, .colour = colour, .count = 1});
  }
  Task relation{"relation", Split::relation_task, {}, templates};
  for (const auto& [first, second] :
       {std::pair{"star", "square"}, {"fish", "house"}, {"bell", "heart"}, {"key", "cloud"}})
    for (int r = 0; r < concepts(Category::relation); ++r)
      add_class(relation, fmt::format("{} {} a {}", first, plain(Category::relation, r), second),
                {.kind = *value_of(Category::kind, first),
                 .second_kind = *value_of(Category::kind, second),
                 .relation = r});
  Task count{"count",
             Split::count_task,
             {},
             {"a drawing that shows {}", "here are {} to see", "this is {}",
              "a sketch with {} in it"}};
  for (int n = 1; n <= 4; ++n)
    add_class(count, plain(Category::count, n - 1) + (n == 1 ? " object" : " objects"),
              {.count = n});
  return {kind, colour_kind, relation, count};
}

Scene task_scene(uint64_t seed, const Task& task, uint64_t index) {
  return make_scene({seed, task.split, index}, task.classes[index % task.classes.size()].wish);
}

}  // namespace laclip::world
