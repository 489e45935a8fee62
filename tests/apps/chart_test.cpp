// The charts and the HTML writer of laclip report.
#include "apps/report/chart.h"

#include <gtest/gtest.h>

#include <cmath>

#include "apps/report/thumbnail.h"
#include "tests/harness/html_check.h"

namespace laclip {
namespace {

using test::count_of;
using test::malformed;

TEST(Chart, TicksAreRound) {
  for (const auto& [low, high] : std::vector<std::pair<double, double>>{
           {0, 1}, {0, 117}, {2.31, 4.87}, {0.613, 0.617}, {-3, 12}, {0, 123456}, {5, 5}, {0, 0}}) {
    const auto ticks = round_ticks(low, high, 5);
    ASSERT_GE(ticks.size(), 2u);
    EXPECT_LE(ticks.size(), 8u) << low << " " << high;
    EXPECT_LE(ticks.front(), low + 1e-9);
    EXPECT_GE(ticks.back(), high - 1e-9);
    const double distance = ticks[1] - ticks[0];
    const double leading = distance / std::pow(10, std::floor(std::log10(distance) + 1e-9));
    EXPECT_TRUE(std::abs(leading - 1) < 1e-6 || std::abs(leading - 2) < 1e-6 ||
                std::abs(leading - 5) < 1e-6)
        << distance;
    for (const double tick : ticks) EXPECT_NEAR(std::remainder(tick, distance), 0, 1e-6 * distance);
  }
  EXPECT_EQ(tick_text(20000, 5000), "20,000");
  EXPECT_EQ(tick_text(1234567, 1), "1,234,567");
  EXPECT_EQ(tick_text(0.25, 0.05), "0.25");
  EXPECT_EQ(tick_text(-2, 1), "−2");
}

TEST(Chart, EveryRunHasAPathAndGapsAreGaps) {
  Html html;
  const double nan = std::nan("");
  line_chart(html, {"Loss",
                    "steps",
                    "loss",
                    {{"a", 0, {{0, 4}, {10, 3}}}, {"b <c>", 1, {{0, 5}, {5, nan}, {10, 2}}}}});
  EXPECT_EQ(malformed(html.str()), "") << html.str();
  EXPECT_EQ(count_of(html.str(), "<path "), 2u);
  EXPECT_EQ(count_of(html.str(), "<circle "), 4u);
  EXPECT_EQ(html.str().find("nan"), html.str().rfind("nan")) << "at most in words";
  EXPECT_NE(html.str().find("<title>b &lt;c&gt;</title>"), std::string::npos);
  const size_t second = html.str().find("<path ", html.str().find("<path ") + 1);
  const std::string path = html.str().substr(second, html.str().find('>', second) - second);
  EXPECT_EQ(count_of(path, "M"), 2u) << path;
}

TEST(HtmlText, IsEscapedAndValidUtf8) {
  EXPECT_EQ(escape_html("<a href='x'>&\"é😀"), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;é😀");
  EXPECT_EQ(escape_html("a\xFF\xC3(\xED\xA0\x80\x01"), "a\uFFFD\uFFFD(\uFFFD\uFFFD\uFFFD\uFFFD");
  const std::string text = "light work.";
  const auto encode = [&](size_t n) { return base64(std::as_bytes(std::span(text).first(n))); };
  EXPECT_EQ(encode(11), "bGlnaHQgd29yay4=");  // RFC 4648
  EXPECT_EQ(encode(10), "bGlnaHQgd29yaw==");
  EXPECT_EQ(encode(9), "bGlnaHQgd29y");
  EXPECT_EQ(encode(0), "");
}

}  // namespace
}  // namespace laclip
