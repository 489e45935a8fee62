// laclip report: the page is well formed, says what the files say, and needs nothing else.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "base/json.h"
#include "data/image_decode.h"
#include "data/image_write.h"
#include "data/tar_write.h"
#include "tests/harness/html_check.h"
#include "tests/harness/program.h"

namespace laclip {
namespace {

using test::count_of;
using test::malformed;
using test::Outcome;
using Arguments = std::vector<std::string>;

std::string jpeg_of(int shade) {
  Image image{200, 100, std::vector<uint8_t>(200 * 100 * 3, uint8_t(shade))};
  const auto jpeg = encode_jpeg(image, 90);
  return {reinterpret_cast<const char*>(jpeg.data()), jpeg.size()};
}

constexpr const char* kOdd = "a <b>cat</b> & \"dog's\" friend";
constexpr const char* kOddEscaped = "a &lt;b&gt;cat&lt;/b&gt; &amp; &quot;dog&#39;s&quot; friend";

class ReportCommand : public testing::Test {
 protected:
  void SetUp() override {
    make_run("clip", 0.515, 3.9);
    make_run("laclip", 0.613, 3.5);
    TarWriter tar;
    std::string rewrites;
    for (int i = 0; i < 20; ++i) {
      const std::string key = fmt::format("{:03}", i), caption = fmt::format("caption {}", i);
      tar.add(key + ".jpg", jpeg_of(40 + 10 * i)).add(key + ".txt", caption);
      rewrites += Json{{"index", i},
                       {"key", key},
                       {"mode", "chatgpt"},
                       {"original", caption},
                       {"text", i == 0 ? kOdd : fmt::format("rewrite {}", i)}}
                      .dump() +
                  "\n";
    }
    write_atomically(path("data.tar"), tar.finish());
    write_atomically(path("rewrites.jsonl"), rewrites);
    write_atomically(path("timings.json"),
                     R"([{"stage": "train", "seconds": 75, "command": "a && b"},
                         {"stage": "evaluate", "seconds": 4.25}])");
  }
  void make_run(const std::string& name, double accuracy, double loss, int seed = 0) {
    const fs::path run = folder_ / name;
    make_folders(run);
    std::string metrics;
    for (int step = 10; step <= 50; step += 10) {
      metrics +=
          Json{{"stage", "train"}, {"step", step}, {"loss", loss + 1.0 / step}}.dump() + "\n";
      if (step % 25 == 0)
        metrics += Json{{"stage", "val"}, {"step", step}, {"acc1", accuracy / 2}}.dump() + "\n";
    }
    write_atomically(run / "metrics.jsonl", metrics);
    const Json kind = {{"dataset", "world/kind"},
                       {"task", "zeroshot_classification"},
                       {"metrics", {{"acc1", accuracy}, {"acc5", nullptr}, {"images", 400}}}};
    const Json pairs = {{"dataset", "world/test.jsonl"},
                        {"task", "zeroshot_retrieval"},
                        {"name", "held-out pairs"},
                        {"metrics", {{"image_to_text_R@1", 0.25}}}};
    write_atomically(run / "evaluation.jsonl", kind.dump() + "\n" + pairs.dump() + "\n");
    write_atomically(run / "manifest.json",
                     R"({"machine": {"processor": "<Zen> & co", "cores": 2}})");
    write_atomically(run / "config.toml",
                     fmt::format("seed={}\nlr=0.001\nname=\"{}\"\n", seed, name));
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  Arguments arguments(const std::vector<std::string>& runs, const Arguments& more = {}) const {
    Arguments list{"report"};
    for (const std::string& run : runs) list.push_back(path(run));
    list.insert(list.end(), {"--output", path("report.html")});
    list.insert(list.end(), more.begin(), more.end());
    return list;
  }
  std::string page(const std::vector<std::string>& runs, const Arguments& more = {}) const {
    const Outcome outcome = test::run(arguments(runs, more));
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.code == 0 ? read_text(folder_ / "report.html") : "";
  }
  std::string everything() const {
    return page({"clip", "laclip"},
                {"--rewrites", path("rewrites.jsonl"), "--train-data", path("data.tar"),
                 "--samples", "4", "--timings", path("timings.json")});
  }
  test::TemporaryFolder folder_;
};

TEST_F(ReportCommand, IsWellFormedAndStandsAlone) {
  const std::string html = everything();
  EXPECT_EQ(malformed(html), "");
  EXPECT_TRUE(html.starts_with("<!DOCTYPE html>"));
  for (const char* foreign : {"http:", "https:", "<script", "<link", "@import", "url(", "src=\"/"})
    EXPECT_EQ(html.find(foreign), std::string::npos) << foreign;
  EXPECT_EQ(count_of(html, "<img "), 4u);
  EXPECT_EQ(count_of(html, "src=\"data:image/jpeg;base64,"), 4u);
  EXPECT_EQ(count_of(html, "alt=\"caption "), 4u);
  EXPECT_EQ(html, everything()) << "the same input gives the same page";
}

TEST_F(ReportCommand, TheFiguresStandThere) {
  const std::string html = everything();
  EXPECT_NE(html.find("laclip reaches 61.3\u00A0% top-1 on kind, 9.8 points above clip."),
            std::string::npos)
      << html.substr(html.find("<h1"), 400);
  EXPECT_NE(html.find("<b>61.3</b>"), std::string::npos);
  EXPECT_NE(html.find("<span>51.5</span>"), std::string::npos);
  EXPECT_NE(html.find(">+9.8</small>"), std::string::npos);
  EXPECT_NE(html.find("held-out pairs"), std::string::npos);
  EXPECT_NE(html.find("400 images"), std::string::npos);
  EXPECT_NE(html.find("1:15 min"), std::string::npos);
  EXPECT_NE(html.find("a &amp;&amp; b"), std::string::npos);
  for (const char* caption : {"caption 0", "caption 5", "caption 10", "caption 15", "rewrite 15"})
    EXPECT_NE(html.find(caption), std::string::npos) << caption;
}

TEST_F(ReportCommand, TextsAreEscaped) {
  make_run("a&b <i>", 0.5, 3);
  const std::string html =
      page({"clip", "a&b <i>"}, {"--title", kOdd, "--rewrites", path("rewrites.jsonl"),
                                 "--train-data", path("data.tar"), "--samples", "4"});
  EXPECT_EQ(malformed(html), "");
  EXPECT_EQ(count_of(html, kOddEscaped), 3u);  // <title>, <h1>, the rewrite
  EXPECT_EQ(html.find("<i>"), std::string::npos);
  EXPECT_NE(html.find("a&amp;b &lt;i&gt;"), std::string::npos);
  EXPECT_NE(html.find("&lt;Zen&gt; &amp; co"), std::string::npos);
}

TEST_F(ReportCommand, SeedsAreAveraged) {
  make_run("new-seed1", 0.60, 3.5, 1);
  make_run("new-seed2", 0.62, 3.5, 2);
  make_run("new-seed3", 0.64, 3.5, 3);
  const std::string html = page({"clip", "new-seed1", "new-seed2", "new-seed3"});
  EXPECT_NE(html.find("<b>62.0</b><span> ± 2.0</span>"), std::string::npos);
  EXPECT_NE(html.find("(mean of 3 runs)"), std::string::npos);
  EXPECT_EQ(html.find("differ not only in the seed"), std::string::npos);
  write_atomically(folder_ / "new-seed3/config.toml", "seed=3\nlr=0.01\n");
  EXPECT_NE(
      page({"clip", "new-seed1", "new-seed3"}).find("differ not only in the seed, also in: lr"),
      std::string::npos);
  const std::string named =
      page({"clip", "new-seed1", "new-seed3"}, {"--group", "old", "other", "other"});
  EXPECT_NE(named.find(">other</th>"), std::string::npos);
  EXPECT_NE(named.find("<b>62.0</b><span> ± 2.8</span>"), std::string::npos);
}

TEST_F(ReportCommand, WithoutEvaluationTheLastValidationCounts) {
  for (const char* run : {"clip", "laclip"}) fs::remove(folder_ / run / "evaluation.jsonl");
  const std::string html = page({"clip", "laclip"});
  EXPECT_NE(html.find("laclip reaches 30.6\u00A0% top-1 on validation"), std::string::npos)
      << html.substr(html.find("<h1"), 400);
}

TEST_F(ReportCommand, BadInputIsOneClearLine) {
  make_folders(folder_ / "empty");
  make_folders(folder_ / "broken");
  write_atomically(folder_ / "broken/metrics.jsonl", "{\"stage\": \"train\"}\n{}\n");
  write_atomically(path("none.json"), "{}");
  const auto expect = [&](const Arguments& list, int code, const std::string& part) {
    const Outcome outcome = test::run(list);
    EXPECT_EQ(outcome.code, code) << outcome.err;
    EXPECT_NE(outcome.err.find(part), std::string::npos) << outcome.err;
    EXPECT_FALSE(fs::exists(folder_ / "report.html"));
  };
  expect(arguments({"nowhere"}), 1, "nowhere: there is no such run folder");
  expect(arguments({"empty"}), 1, "neither metrics.jsonl nor evaluation.jsonl");
  expect(arguments({"broken"}), 1, "metrics.jsonl:1: field 'step' is missing");
  expect(arguments({}), 2, "runs");
  expect(arguments({"clip"}, {"--group", "a", "b"}), 2, "--group");
  expect(arguments({"clip"}, {"--rewrites", path("rewrites.jsonl")}), 2, "--train-data");
  expect(arguments({"clip"}, {"--rewrites", path("no.jsonl"), "--train-data", path("data.tar")}), 1,
         "no.jsonl");
  expect(arguments({"clip"}, {"--timings", path("none.json")}), 1, "none.json");
  expect(arguments({"clip"}, {"--query", "a dog"}), 2, "--pairs");
  expect(arguments({"clip"}, {"--images", path("empty")}), 2, "--classnames");
}

TEST_F(ReportCommand, ShowsWhatAModelSees) {
  std::string captions, pairs;
  for (int i = 0; i < 12; ++i) {
    const std::string name = i % 2 ? "bright" : "dark";
    make_folders(folder_ / "images" / name);
    const std::string image = fmt::format("images/{}/{}.jpg", name, i);
    write_atomically(folder_ / image, jpeg_of(i % 2 ? 200 + i : 20 + i));
    pairs += Json{{"image", image}, {"caption", fmt::format("a {} picture", name)}}.dump() + "\n";
    captions += fmt::format("caption {}\n", i);
  }
  write_atomically(path("pairs.jsonl"), pairs);
  write_atomically(path("captions.txt"), captions);
  write_atomically(path("classnames.json"), R"(["bright", "dark"])");
  ASSERT_EQ(test::run({"tokenize", "--train", path("captions.txt"), "--vocab-size", "520", "-o",
                       path("vocab.txt")})
                .code,
            0);
  const Outcome trained = test::run({"train", "--train-data", path("data.tar"), "--tokenizer",
                                     path("vocab.txt"), "--model", "ViT-T-8-tiny", "--batch-size",
                                     "10", "--steps", "2", "--logs", path(""), "--name", "run"});
  ASSERT_EQ(trained.code, 0) << trained.err;
  const Arguments more{"--tokenizer",  path("vocab.txt"),      "--query",  "a <dark> picture",
                       "--pairs",      path("pairs.jsonl"),    "--images", path("images"),
                       "--classnames", path("classnames.json")};
  const std::string html = page({"run"}, more);
  EXPECT_EQ(malformed(html), "");
  EXPECT_NE(html.find("“a &lt;dark&gt; picture”"), std::string::npos);
  EXPECT_NE(html.find(" of 12 images are named rightly"), std::string::npos);
  EXPECT_GE(count_of(html, "<img "), 6u);
  const Outcome untrained = test::run(arguments({"clip"}, more));
  EXPECT_EQ(untrained.code, 1);
  EXPECT_NE(untrained.err.find("clip/checkpoints/latest"), std::string::npos) << untrained.err;
}

// A browser draws the page, on a telephone's and a desktop's width, light and dark.
TEST_F(ReportCommand, ABrowserDrawsIt) {
  std::string browser;
  for (const char* name : {"chromium", "google-chrome"})
    if (std::system(fmt::format("command -v {} >/dev/null 2>&1", name).c_str()) == 0)
      browser = name;
  if (browser.empty()) GTEST_SKIP() << "neither chromium nor google-chrome is on the PATH";
  ASSERT_NE(everything(), "");
  // A window is at least 500 px wide; a frame is as narrow as a telephone.
  write_atomically(
      path("phone.html"),
      "<!DOCTYPE html><iframe src=report.html style='width:390px;height:1600px'></iframe>");
  std::vector<std::string> pictures;
  for (const char* file : {"phone.html", "report.html"})
    for (const char* scheme : {"1", "0"}) {  // light, dark
      const fs::path picture = folder_ / "picture.png";
      const std::string command = fmt::format(
          "{} --headless --no-sandbox --disable-gpu --user-data-dir='{}' --window-size=1280,1600 "
          "--allow-file-access-from-files --blink-settings=preferredColorScheme={} "
          "--screenshot='{}' 'file://{}' >/dev/null 2>&1",
          browser, path("profile"), scheme, picture.string(), path(file));
      ASSERT_EQ(std::system(command.c_str()), 0) << command;
      const auto bytes = read_bytes(picture);
      const Image image = decode_image(bytes);
      ASSERT_EQ(image.width, 1280);
      const auto [low, high] = std::minmax_element(image.rgb.begin(), image.rgb.end());
      EXPECT_GT(*high - *low, 100) << file << ": nothing is drawn";
      pictures.emplace_back(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      fs::remove(picture);
    }
  EXPECT_NE(pictures[2], pictures[3]) << "light and dark look the same";
}

}  // namespace
}  // namespace laclip
