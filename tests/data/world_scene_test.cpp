// Scenes, drawing and tasks of the small world.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "data/world/documents.h"
#include "data/world/render.h"
#include "data/world/styles.h"
#include "data/world/tasks.h"

namespace laclip::world {
namespace {

Scene train_scene(uint64_t index) { return make_scene({7, Split::train, index}); }

TEST(WorldScene, IsAFunctionOfSeedSplitAndIndex) {
  const Json once = to_json(train_scene(5));
  train_scene(4);
  EXPECT_EQ(to_json(train_scene(5)), once);
  EXPECT_EQ(render(train_scene(5), 48).rgb, render(train_scene(5), 48).rgb);
  int same = 0;
  for (uint64_t i = 0; i < 50; ++i) {
    same += to_json(make_scene({8, Split::train, i})) == to_json(train_scene(i));
    same += to_json(make_scene({7, Split::retrieval, i})) == to_json(train_scene(i));
  }
  EXPECT_LT(same, 5);
}

TEST(WorldScene, ClassesAreRoughlyBalancedAndKindsDifferWithinAScene) {
  std::map<int, int> kinds, colours, relations, counts, backgrounds;
  constexpr int kScenes = 6000;
  for (uint64_t i = 0; i < kScenes; ++i) {
    const Scene scene = train_scene(i);
    std::set<int> seen;
    for (const Object& object : scene.objects) seen.insert(object.kind);
    ASSERT_EQ(seen.size(), scene.alike ? 1 : scene.objects.size());
    for (int kind : seen) ++kinds[kind];
    for (const Object& object : scene.objects) ++colours[object.colour];
    ++relations[scene.relation];
    ++counts[int(scene.objects.size())];
    ++backgrounds[scene.background];
  }
  relations.erase(-1);
  const auto balanced = [](const std::map<int, int>& tally, size_t classes, double ratio) {
    ASSERT_EQ(tally.size(), classes);
    int least = kScenes * 4, most = 0;
    for (const auto& [value, count] : tally) {
      least = std::min(least, count);
      most = std::max(most, count);
    }
    EXPECT_LT(most, ratio * least);
  };
  balanced(kinds, 24, 1.5);
  balanced(colours, 12, 1.3);
  balanced(relations, 5, 2.2);  // `inside` takes two objects, the others two to four
  for (const auto& [count, share] : {std::pair{1, 0.5}, {2, 0.3}, {3, 0.1}, {4, 0.1}})
    EXPECT_NEAR(double(counts[count]) / kScenes, share, 0.02) << count << " objects";
  balanced(backgrounds, 6, 1.5);
}

TEST(WorldScene, RelationsAreWhereTheyAreSaidToBe) {
  for (uint64_t i = 0; i < 3000; ++i) {
    const Scene scene = train_scene(i);
    for (const Object& object : scene.objects) {
      EXPECT_GE(std::min(object.x, object.y) - object.radius, -0.02f);
      EXPECT_LE(std::max(object.x, object.y) + object.radius, 1.02f);
    }
    if (scene.relation < 0) continue;
    const Object &a = scene.objects[0], &b = scene.objects[1];
    const float gap = a.radius + b.radius - 0.01f;
    switch (scene.relation) {
      case left_of:
        EXPECT_GE(b.x - a.x, gap);
        break;
      case right_of:
        EXPECT_GE(a.x - b.x, gap);
        break;
      case above:
        EXPECT_GE(b.y - a.y, gap);
        break;
      case below:
        EXPECT_GE(a.y - b.y, gap);
        break;
      default:
        EXPECT_TRUE(is_container(b.kind));
        EXPECT_LT(std::hypot(a.x - b.x, a.y - b.y) + a.radius, b.radius);
    }
  }
}

// The mean colour over the disc of an object without texture is near the colour of its name.
TEST(WorldRender, KindsAndColoursShow) {
  std::set<std::string> images;
  for (int kind = 0; kind < concepts(Category::kind); ++kind) {
    const Image image =
        render(make_scene({3, Split::kind_task, 9}, {.kind = kind, .count = 1}), 48);
    images.emplace(image.rgb.begin(), image.rgb.end());
  }
  EXPECT_EQ(images.size(), 24u);
  const int red = *value_of(Category::colour, "red"), blue = *value_of(Category::colour, "blue");
  for (uint64_t i = 0; i < 40; ++i) {
    double warmth[2];
    for (int which = 0; which < 2; ++which) {
      Scene scene = make_scene({3, Split::kind_task, i}, {.kind = 0, .count = 1});
      scene.objects[0].texture = solid;
      scene.objects[0].colour = which ? blue : red;
      const Image image = render(scene, 48);
      const size_t at =
          (size_t(scene.objects[0].y * 48) * 48 + size_t(scene.objects[0].x * 48)) * 3;
      warmth[which] = double(image.rgb[at]) - double(image.rgb[at + 2]);
    }
    EXPECT_GT(warmth[0], 60);
    EXPECT_LT(warmth[1], -60);
  }
}

TEST(WorldRender, AnySize) {
  for (int size : {16, 33, 224}) {
    const Image image = render(train_scene(1), size);
    EXPECT_EQ(image.width, size);
    EXPECT_EQ(image.rgb.size(), size_t(size) * size_t(size) * 3);
  }
}

TEST(WorldTasks, ScenesAreOfTheirClass) {
  std::map<std::string, size_t> classes;
  for (const Task& task : tasks()) {
    classes[task.name] = task.classes.size();
    std::set<std::string> names, folders;
    for (size_t i = 0; i < 4 * task.classes.size(); ++i) {
      const TaskClass& c = task.classes[i % task.classes.size()];
      names.insert(c.name);
      folders.insert(c.folder);
      const Scene scene = task_scene(1, task, i);
      const auto wished = [](int wish, int value) { return wish < 0 || wish == value; };
      EXPECT_TRUE(wished(c.wish.kind, scene.objects[0].kind)) << c.name;
      EXPECT_TRUE(wished(c.wish.colour, scene.objects[0].colour)) << c.name;
      EXPECT_TRUE(wished(c.wish.relation, scene.relation)) << c.name;
      EXPECT_TRUE(wished(c.wish.count, int(scene.objects.size()))) << c.name;
      if (c.wish.second_kind >= 0) {
        EXPECT_EQ(scene.objects[1].kind, c.wish.second_kind) << c.name;
      }
    }
    EXPECT_EQ(names.size(), task.classes.size());
    EXPECT_EQ(folders.size(), task.classes.size());
  }
  EXPECT_EQ(classes, (std::map<std::string, size_t>{
                         {"kind", 24}, {"colour_kind", 48}, {"relation", 20}, {"count", 4}}));
}

TEST(WorldTasks, NoTemplateOccursInTheLanguage) {
  std::string language;
  for (uint64_t i = 0; i < 3000; ++i) {
    const Document document = make_document(2, Split::documents, i, {});
    language += " " + document.query.text + " | " + document.target + " |";
  }
  const auto has = [](const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  };
  const auto lower = [](std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return char(std::tolower(c)); });
    return text;
  };
  language = lower(language);
  ASSERT_TRUE(has(language, "the image features"));
  for (const Task& task : tasks())
    for (const std::string& text : task.templates) {
      const std::string before = text.substr(0, text.find("{}"));
      EXPECT_FALSE(has(language, " " + before)) << text;
    }
  EXPECT_FALSE(has(language, "we see ") || has(language, "behind it")) << "retrieval's own words";
}

}  // namespace
}  // namespace laclip::world
