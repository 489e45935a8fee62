// The built-in examples, written for this project in the manners that the paper's examples have.
#pragma once

#include "data/prompts.h"

namespace laclip {

std::vector<ExamplePair> chatgpt_pairs();  // 16: an alt-text and a fluent, fuller sentence
std::vector<ExamplePair> bard_pairs();     // 16: the same, more vivid
std::vector<ExamplePair> human_pairs();    // 16: web captions and plain rewordings by people
std::vector<std::vector<std::string>> coco_groups();  // 18 images with 5 captions each

}  // namespace laclip
