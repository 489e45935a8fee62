// Easy data augmentation of texts, the paper's baseline: J. Wei, K. Zou, "EDA: Easy Data
// Augmentation Techniques for Boosting Performance on Text Classification Tasks", EMNLP 2019.
//
// One of four operations, by chance: n words are replaced by synonyms, n synonyms of words are
// inserted anywhere, n times two words change places, or each word is dropped with probability
// alpha; n = max(1, alpha · words).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/philox.h"

namespace laclip {

class Eda {
 public:
  // Groups of words of one meaning, in lower case.
  Eda(const std::vector<std::vector<std::string>>& synonyms, double alpha);
  std::string augment(const std::string& text, Random& random) const;

 private:
  // A synonym of one of the words that have some; its place, or npos.
  size_t draw_synonym(const std::vector<std::string>& words, Random& random,
                      std::string& synonym) const;
  std::map<std::string, std::vector<std::string>> synonyms_;
  double alpha_;
};

}  // namespace laclip
