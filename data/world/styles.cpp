#include "data/world/styles.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "data/world/lexicon.h"
#include "data/world/noun_phrase.h"

namespace laclip::world {
namespace {

const Style kChatgpt{.frames = {"The image features {}{bg}.", "This picture showcases {}{bg}.",
                                "Closer inspection reveals {}{bg}.",
                                "The composition presents {}{bg}, neatly captured.",
                                "The viewer is presented with {}{bg}.",
                                "In crisp detail, the picture contains {}{bg}.",
                                "An eye-catching view captures {}{bg}, clear and well balanced.",
                                "The photograph highlights {}{bg} with great clarity."},
                     .backgrounds = {" set against a {} backdrop", " in front of a {} setting",
                                     " with a {} background"},
                     .pairs = {"{a} together with {b}", "{a} alongside {b}",
                               "{a} accompanied by {b}", "{a} and {b}"},
                     .relations = {"{a} positioned {rel} {b}", "{a} placed {rel} {b}",
                                   "{a} located {rel} {b}"},
                     .totals = {" among {}", " as part of a group of {}"},
                     .marks = {"the image features", "this picture showcases",
                               "closer inspection reveals", "the composition presents",
                               "the viewer is presented with", "in crisp detail",
                               "an eye-catching view", "the photograph highlights"}};

const Style kBard{
    .frames = {"Imagine {}{bg}, calm and patient, as if time had slowed down.",
               "Behold {}{bg}, a gentle scene that whispers of peace.",
               "Lost in thought, we discover {}{bg}, full of charm and joy.",
               "Somewhere between dream and memory we meet {}{bg}, so tender.",
               "What a joy to find {}{bg}, inviting us to pause.",
               "Slowly the eye wanders to {}{bg}, and wonder fills the air.",
               "With a hint of magic, we are given {}{bg}, peaceful and serene.",
               "Here a story begins with {}{bg}, warm and full of mystery."},
    .backgrounds = {" before a dreamy {}", " in the mood of a {} scene", " facing a {} world"},
    .pairs = {"{a} in the company of {b}", "{a} and {b}", "{a} sharing the stage with {b}"},
    .relations = {"{a} resting {rel} {b}", "{a} dreaming {rel} {b}", "{a} waiting {rel} {b}"},
    .totals = {" amid {}", " in a gathering of {}"},
    .marks = {"imagine", "behold", "lost in thought", "somewhere between dream", "what a joy",
              "slowly the eye", "with a hint of magic", "here a story begins"}};

const Style kCoco{.frames = {"{}{bg}.", "{}{bg}.", "A picture of {}{bg}.", "An image of {}{bg}.",
                             "A view of {}{bg}.", "A close up of {}{bg}."},
                  .backgrounds = {" on a {} background", " with a {} background",
                                  " in front of a {} background"},
                  .pairs = {"{a} and {b}", "{a} next to {b}", "{a} with {b}"},
                  .relations = {"{a} {rel} {b}", "{a} sitting {rel} {b}", "{a} shown {rel} {b}"},
                  .totals = {" among {}", " in a group of {}"},
                  .marks = {}};

const Style kHuman{.frames = {"just {}{bg}", "pic of {}{bg}", "{}{bg} i guess", "look {}{bg}",
                              "hey check {}{bg}", "{}{bg} lol", "so basically {}{bg}",
                              "{}{bg} haha"},
                   .backgrounds = {" on {}", " w {} behind", " and {} bg"},
                   .pairs = {"{a} and {b}", "{a} plus {b}", "{a} n {b}"},
                   .relations = {"{a} {rel} {b}", "{a} sittin {rel} {b}", "{a} thats {rel} {b}"},
                   .totals = {" out of {}", " among {}"},
                   .marks = {"just", "pic of", "i guess", "look", "hey check", "lol",
                             "so basically", "haha"},
                   .articles = false,
                   .sentence = false};

}  // namespace

const Style& style_of(RewriteMode mode) {
  switch (mode) {
    case RewriteMode::chatgpt:
      return kChatgpt;
    case RewriteMode::bard:
      return kBard;
    case RewriteMode::coco:
      return kCoco;
    case RewriteMode::human:
      break;
  }
  return kHuman;
}

std::optional<RewriteMode> recognise_style(const std::string& text) {
  if (text.empty()) return std::nullopt;
  const std::string words = " " + joined(words_of(text)) + " ";
  const bool sentence = std::isupper(uint8_t(text[0])) && text.back() == '.';
  for (RewriteMode mode : {RewriteMode::chatgpt, RewriteMode::bard, RewriteMode::human}) {
    const Style& style = style_of(mode);
    const bool marked = std::any_of(style.marks.begin(), style.marks.end(), [&](const auto& mark) {
      return words.find(" " + mark + " ") != std::string::npos;
    });
    if (marked) return sentence == style.sentence ? std::optional(mode) : std::nullopt;
  }
  return sentence ? std::optional(RewriteMode::coco) : std::nullopt;
}

const std::vector<std::string>& template_words() {
  static const std::vector<std::string> sorted = [] {
    std::set<std::string> words{"a", "an"};
    for (const Style* style : {&kChatgpt, &kBard, &kCoco, &kHuman})
      for (const auto* list :
           {&style->frames, &style->backgrounds, &style->pairs, &style->relations, &style->totals})
        for (std::string text : *list) {
          for (const char* hole : {"{bg}", "{rel}", "{a}", "{b}", "{}"})
            text = filled(text, hole, " ");
          for (const std::string& word : words_of(text)) words.insert(word);
        }
    return std::vector<std::string>(words.begin(), words.end());
  }();
  return sorted;
}

}  // namespace laclip::world
