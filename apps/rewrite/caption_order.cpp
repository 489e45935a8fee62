#include "apps/rewrite/caption_order.h"

#include <algorithm>
#include <limits>

#include "base/check.h"

namespace laclip {

CaptionOrder::CaptionOrder(const PromptPlan& plan, ShardRange range) : begin_(range.begin) {
  const size_t count = range.end - range.begin;
  check(count <= std::numeric_limits<uint32_t>::max(),
        "{} captions are more than one job takes; use --shard", count);
  items_.reserve(count);
  for (size_t i = range.begin; i < range.end; ++i)
    items_.push_back({plan.triple_of(i), uint32_t(i - range.begin)});
  std::sort(items_.begin(), items_.end());
}

size_t CaptionOrder::most_triples(size_t captions) const {
  size_t most = 0, begun = 0;  // triples that begin behind the first caption of the window
  for (size_t i = 0; i < size(); ++i) {
    if (i > 0) begun += begins_triple(i);
    if (i >= captions) begun -= begins_triple(i - captions + 1);
    most = std::max(most, 1 + begun);
  }
  return most;
}

}  // namespace laclip
