// The folder that `laclip world` writes, and how others find their way in it.
//
//   train/00000.tar …      KEY.jpg, KEY.txt (alt-text), KEY.json (scene, the caption's facts)
//   captions.txt           the alt-texts, a line each, in the order of the shards
//   zeroshot/TASK/         images/CLASS/*.jpg, classnames.json, templates.json
//   retrieval.jsonl        and retrieval/*.jpg
//   pairs/STYLE.json       for `laclip rewrite --pairs`
//   documents.jsonl        {"text": …}: training documents of a rewriter
//   heldout.jsonl, .txt    documents of other scenes with caption, style, target, facts, scene;
//                          and their captions alone
//   world.json             the settings, from which all of it can be made again
#pragma once

#include <string>

#include "base/json.h"
#include "data/world/language.h"

namespace laclip {

struct WorldSettings {
  int64_t images = 8000, test_images = 2000, shard_size = 1000, documents = 0, heldout = 400;
  uint64_t seed = 1;
  int image_size = 48;
  double plain_share = 0.08;

  Json to_json() const;
  static WorldSettings read(const fs::path& folder);  // of its world.json
  world::AltTextOptions alt_text() const { return {plain_share}; }
};

// All or nothing: written beside the folder and renamed. A folder that holds the same world is left
// as it is; Error if it holds anything else.
void write_world(const WorldSettings& settings, const fs::path& folder, int threads);

// Writes folder/eda_1.txt … eda_N.txt, line by line for its captions.txt.
void write_eda(const fs::path& folder, int outputs, double alpha);

// A line of figures for a JSONL file of `laclip rewrite`, whose captions are those of the training
// images or the held-out ones.
Json judge_rewrites(const fs::path& rewrites, const fs::path& folder);

// A PNG of 8 × 8 images, twice as large: each kind, then training scenes.
void write_contact_sheet(const WorldSettings& settings, const fs::path& file);

}  // namespace laclip
