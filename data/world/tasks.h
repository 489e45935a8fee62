// The zero-shot tasks: classes with plain English names, templates that no caption uses, and
// scenes.
#pragma once

#include <string>
#include <vector>

#include "data/world/scene.h"

namespace laclip::world {

struct TaskClass {
  std::string folder, name;  // the folder sorts as the classes do
  SceneWish wish;
};
struct Task {
  std::string name;
  Split split;
  std::vector<TaskClass> classes;
  std::vector<std::string> templates;
};

// kind (24 classes), colour_kind (48 pairs), relation (4 pairs of kinds × 5 relations), count
// (1..4).
std::vector<Task> tasks();

// Image `index` of a task; classes take turns.
Scene task_scene(uint64_t seed, const Task& task, uint64_t index);

}  // namespace laclip::world
