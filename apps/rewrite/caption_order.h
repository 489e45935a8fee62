// The order in which captions are rewritten: by their triple of examples, so that a prefix is computed
// once, used by a run of captions and dropped.
#pragma once

#include <vector>

#include "apps/rewrite/prompt_plan.h"
#include "data/caption_table.h"

namespace laclip {

class CaptionOrder {
 public:
  CaptionOrder(const PromptPlan& plan, ShardRange range);

  size_t size() const { return items_.size(); }
  size_t caption(size_t i) const { return begin_ + items_[i].offset; }
  const PromptPlan::Triple& triple(size_t i) const { return items_[i].triple; }
  size_t triples() const { return most_triples(size()); }  // different ones
  // The most different ones among so many captions in a row.
  size_t most_triples(size_t captions) const;

 private:
  struct Item {
    PromptPlan::Triple triple;
    uint32_t offset;  // of the caption, in the shard
    auto operator<=>(const Item&) const = default;
  };
  bool begins_triple(size_t i) const { return i == 0 || triple(i) != triple(i - 1); }

  size_t begin_;
  std::vector<Item> items_;
};

}  // namespace laclip
