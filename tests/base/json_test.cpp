#include "base/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/check.h"
#include "tests/harness/error_of.h"

namespace laclip {
namespace {

using test::error_of;
using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(Json, IsWrittenAsItWasRead) {
  for (const char* text :
       {"null", "[true,false]", "{\"b\":1,\"a\":{\"c\":[]}}", "[0,-7,9223372036854775807]",
        "[18446744073709551615,-9223372036854775808]", "\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001/é€😀\"",
        "[0.0,-0.0,1.0,0.1,123456.789,100000000000000.0,1e+15,1.5e-07,0.0001,1e-05,1.7e+308]"})
    EXPECT_EQ(Json::parse(text).dump(), text);
  EXPECT_EQ(Json::parse(" { \"a\" : [ 1 , { } ] } ").dump(2),
            "{\n  \"a\": [\n    1,\n    {}\n  ]\n}");
  EXPECT_EQ(Json::parse("\xef\xbb\xbf\"\\u00e9\\ud83d\\ude00\\/\"").get<std::string>(), "é😀/");
  EXPECT_EQ(Json::parse("1e2").get<int>(), 100);
  EXPECT_EQ(Json::parse("{\"a\":1,\"b\":2,\"a\":3}").dump(), "{\"a\":3,\"b\":2}");
}

TEST(Json, WhatHasNoTextIsReplaced) {
  EXPECT_EQ(Json(std::nan("")).dump(), "null");
  EXPECT_EQ(Json(std::numeric_limits<double>::infinity()).dump(), "null");
  EXPECT_EQ(Json("a\xff"
                 "b\xe2\x82")
                .dump(),
            "\"a\xef\xbf\xbd"
            "b\xef\xbf\xbd\"");
}

TEST(Json, FaultsAreFoundWithTheirPlace) {
  const auto fault = [](const std::string& text) {
    return error_of([&] { parse_json(text, "x.json"); });
  };
  EXPECT_THAT(fault("{\"a\": 1,\n \"b\": tru}"),
              AllOf(HasSubstr("x.json: not valid JSON: line 2, column 10: "), HasSubstr("tru")));
  EXPECT_THAT(fault("[1, 2"), AllOf(HasSubstr("line 1, column 5: "), HasSubstr("end of input")));
  for (const char* text : {"",
                           "{",
                           "[1,]",
                           "{\"a\"}",
                           "{a:1}",
                           "[1] 2",
                           "01",
                           "-",
                           "1.",
                           "1e",
                           "+1",
                           "nul",
                           "\"a",
                           "\"\n\"",
                           "\"\\x\"",
                           "\"\\u12\"",
                           "\"\\ud800\"",
                           "\"\\udc00\"",
                           "\"\xff\"",
                           "\"\xed\xa0\x80\"",
                           "\"\xc0\x80\"",
                           "1e999"})
    EXPECT_FALSE(Json::accept(text)) << text;
  EXPECT_TRUE(Json::accept(std::string(500, '[') + std::string(500, ']')));
  EXPECT_THAT(fault(std::string(1'000'000, '[')), HasSubstr("nested deeper than 512 levels"));
  EXPECT_THROW(Json::parse("{\"a\":1,\"a\":1}", Json::DuplicateNames::error), JsonError);
}

TEST(Json, ListsBecomeObjectsWhereAllElementsAreNamed) {
  EXPECT_EQ((Json{{"a", 1}, {"b", {1, 2}}}).dump(), "{\"a\":1,\"b\":[1,2]}");
  EXPECT_EQ((Json{{"a", 1}, {2, 3}}).dump(), "[[\"a\",1],[2,3]]");
  EXPECT_EQ((Json{{"a", std::vector<int>{1}}, {"b", Json::object()}}).dump(),
            "{\"a\":[1],\"b\":{}}");
  EXPECT_EQ(Json(std::string("text")).dump(), "\"text\"");
  Json json;
  json["x"]["y"] = 1;
  json.update({{"x", 2}, {"z", true}});
  json.erase("x");
  json["list"] = {1, 2};
  json["list"][0] = 3;
  EXPECT_EQ(json.dump(), "{\"z\":true,\"list\":[3,2]}");
}

TEST(Json, AValueIsReadAsItsKindOnly) {
  EXPECT_EQ(Json(3).get<double>(), 3.0);
  EXPECT_EQ(Json(3.0).get<int64_t>(), 3);
  EXPECT_EQ(Json(uint64_t(1) << 63).get<uint64_t>(), uint64_t(1) << 63);
  EXPECT_THROW(Json(2.5).get<int64_t>(), JsonError);
  EXPECT_THROW(Json(1e30).get<int64_t>(), JsonError);
  EXPECT_THROW(Json(uint64_t(1) << 63).get<int64_t>(), JsonError);
  EXPECT_THROW(Json(-1).get<uint64_t>(), JsonError);
  EXPECT_THROW(Json(int64_t(1) << 40).get<int>(), JsonError);
  EXPECT_THROW(Json(true).get<int>(), JsonError);
  EXPECT_THROW(Json("1").get<int>(), JsonError);
  EXPECT_THROW(Json(1).get<std::string>(), JsonError);
  EXPECT_THROW(Json({1, "2"}).get<std::vector<int>>(), JsonError);
  EXPECT_THROW((Json({1, 2}).get<std::array<int, 3>>()), JsonError);
  EXPECT_EQ(Json(1), Json(1.0));
  EXPECT_NE(Json(1), Json("1"));
  EXPECT_NE(Json(true), Json(1));
  EXPECT_THROW(Json::object().at("a"), JsonError);
  EXPECT_THROW(Json(1).at(0), JsonError);
}

TEST(Json, NumbersAreComparedExactly) {
  const uint64_t beyond = uint64_t(1) << 63;
  EXPECT_NE(Json(INT64_MAX), Json(beyond));
  EXPECT_NE(Json(INT64_MAX), Json(INT64_MAX - 1));
  EXPECT_NE(Json(INT64_MAX), Json(0x1p63));
  EXPECT_EQ(Json(beyond), Json(0x1p63));
  EXPECT_NE(Json(beyond + 1), Json(0x1p63));
  EXPECT_EQ(Json(INT64_MIN), Json(-0x1p63));
  EXPECT_NE(Json(UINT64_MAX), Json(-1));
  EXPECT_NE(Json(1), Json(1.5));
  EXPECT_NE(Json(1.5), Json(1));
  EXPECT_EQ(Json(-0.0), Json(0));
  EXPECT_NE(Json(0x1p64), Json(UINT64_MAX));
  EXPECT_NE(Json(std::nan("")), Json(0));
}

TEST(Json, AFloatTakesWhatFitsIntoIt) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  EXPECT_EQ(Json(double(kLargest)).get<float>(), kLargest);
  EXPECT_EQ(Json(0.1).get<float>(), 0.1f);
  for (double large : {1e300, -1e300, 3.5e38}) EXPECT_THROW(Json(large).get<float>(), JsonError);
  EXPECT_EQ(Json(std::numeric_limits<double>::infinity()).get<float>(),
            std::numeric_limits<float>::infinity());
}

TEST(Json, ReferencesOutliveNewNeighbours) {
  Json json{{"old", {{"deep", "text of more than fifteen letters"}}}};
  for (int i = 0; i < 100; ++i) json["new" + std::to_string(i)] = json["old"];
  EXPECT_EQ(json["new99"], json["old"]);
  Json list = Json::array();
  const Json& first = list.push_back("first of the list of values");
  for (int i = 0; i < 100; ++i) list.push_back(first);
  EXPECT_EQ(list.back(), "first of the list of values");
  json = json["old"];  // an element of itself
  EXPECT_EQ(json.dump(), "{\"deep\":\"text of more than fifteen letters\"}");
  json = std::move(json["deep"]);
  EXPECT_EQ(json, "text of more than fifteen letters");
}

template <class T>
concept Itemised = requires(T json) {
  std::forward<T>(json).items();
};
static_assert(Itemised<const Json&> && !Itemised<Json>, "items() of a temporary would dangle");

TEST(Json, ObjectsOfManyNamesKeepTheirOrder) {
  constexpr int kNames = 1000;
  const auto name = [](int i) { return "name" + std::to_string(i * 7919 % kNames); };
  std::string text = "{";
  for (int i = 0; i < kNames; ++i) text += fmt::format("{}\"{}\":{}", i ? "," : "", name(i), i);
  Json json = Json::parse(text + "}");
  EXPECT_EQ(json.dump(), text + "}");
  for (int i = 0; i < kNames; ++i) EXPECT_EQ(json.at(name(i)), i);
  EXPECT_FALSE(json.contains("name"));
  EXPECT_EQ(Json::parse(text + ",\"" + name(500) + "\":-1}").at(name(500)), -1);
  EXPECT_THROW(Json::parse(text + ",\"" + name(500) + "\":-1}", Json::DuplicateNames::error),
               JsonError);
  Json copy = json;
  copy["more"] = -1;
  EXPECT_FALSE(json.contains("more"));
  EXPECT_EQ(copy["more"], -1);
  for (int i = 0; i < kNames; i += 2) json.erase(name(i));
  for (int i = 0; i < kNames; ++i) EXPECT_EQ(json.contains(name(i)), i % 2 == 1) << i;
  EXPECT_EQ(json.at(name(999)), 999);
  for (int i = 1; i < kNames; i += 2) json.erase(name(i));
  EXPECT_EQ(json.dump(), "{}");
}

TEST(Json, MessagesNameTheKindAndCutTheValue) {
  const Json json{{"list", std::vector<std::string>(1000, "é")}, {"text", "1"}, {"large", 1e300}};
  const auto message = [&](auto wanted, const std::string& name) {
    return error_of([&] { json_field<decltype(wanted)>(json, name, "x.json"); });
  };
  EXPECT_EQ(message(int32_t(), "text"),
            "x.json: field 'text' is \"1\"; an integer of 32 bits is needed");
  EXPECT_EQ(message(float(), "large"),
            "x.json: field 'large' is 1e+300; a number that fits into 32 bits is needed");
  EXPECT_EQ(message(std::vector<bool>(), "text"),
            "x.json: field 'text' is \"1\"; an array of values, each a boolean is needed");
  const std::string cut = message(std::string(), "list");
  EXPECT_LT(cut.size(), 150u);
  EXPECT_THAT(cut, AllOf(HasSubstr("[\"é\",\"é\""), HasSubstr("…; a string is needed")));
  EXPECT_TRUE(Json::accept(Json(cut).dump()));
  EXPECT_EQ(Json(cut).dump().find("\xef\xbf\xbd"), std::string::npos) << "cut within a character";
  try {
    Json("1").get<int32_t>();
  } catch (const JsonError& error) {
    EXPECT_STREQ(error.what(), "\"1\" where an integer of 32 bits is needed");
  }
}

}  // namespace
}  // namespace laclip
