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
  EXPECT_THAT(fault(std::string(1'000'000, '[')), HasSubstr("lie in each other"));
  EXPECT_THROW(Json::parse("{\"a\":1,\"a\":1}", Json::SameNames::fault), JsonError);
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
  EXPECT_EQ(json.dump(), "{\"z\":true}");
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

}  // namespace
}  // namespace laclip
