#include "data/eda.h"

#include <algorithm>
#include <sstream>

#include "data/text.h"

namespace laclip {

Eda::Eda(const std::vector<std::vector<std::string>>& synonyms, double alpha) : alpha_(alpha) {
  for (const auto& group : synonyms)
    for (const std::string& word : group)
      for (const std::string& other : group)
        if (other != word) synonyms_[word].push_back(other);
}

size_t Eda::draw_synonym(const std::vector<std::string>& words, Random& random,
                         std::string& synonym) const {
  std::vector<size_t> places;
  for (size_t i = 0; i < words.size(); ++i)
    if (synonyms_.contains(lower(words[i]))) places.push_back(i);
  if (places.empty()) return std::string::npos;
  const size_t place = places[random.below(uint32_t(places.size()))];
  const auto& others = synonyms_.at(lower(words[place]));
  synonym = others[random.below(uint32_t(others.size()))];
  return place;
}

std::string Eda::augment(const std::string& text, Random& random) const {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  if (words.empty()) return text;
  const auto place = [&](size_t places) { return random.below(uint32_t(places)); };
  const uint32_t operation = random.below(4);
  const size_t times = std::max<size_t>(1, size_t(alpha_ * double(words.size())));
  std::string synonym;
  if (operation == 3) {
    std::vector<std::string> kept;
    for (const std::string& word : words)
      if (double(random.uniform()) >= alpha_) kept.push_back(word);
    words = kept.empty() ? std::vector{words[place(words.size())]} : kept;
  }
  for (size_t i = 0; i < times && operation < 3; ++i) {
    if (operation == 0) {
      const size_t at = draw_synonym(words, random, synonym);
      if (at != std::string::npos) words[at] = synonym;
    } else if (operation == 1) {
      if (draw_synonym(words, random, synonym) != std::string::npos)
        words.insert(words.begin() + long(place(words.size() + 1)), synonym);
    } else {
      const size_t a = place(words.size()), b = place(words.size());
      std::swap(words[a], words[b]);
    }
  }
  std::string result;
  for (const std::string& word : words) result += (result.empty() ? "" : " ") + word;
  return result;
}

}  // namespace laclip
