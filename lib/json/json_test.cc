#include "lib/json/json.h"

#include "lib/testing/status_matchers.h"

namespace strata::json {
namespace {

using testing::StatusIs;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST(Json, KeepsFieldOrder) {
  ASSERT_OK_AND_ASSIGN(const Value value, Parse(R"({"b":1,"a":[true,null,"x"]})"));
  EXPECT_EQ(Dump(value), R"({"b":1,"a":[true,null,"x"]})");
}

TEST(Json, RefusesWhatIsNotOneStrictDocument) {
  for (const char* text : {"", "{", "{}x", "{'a':1}", "[1,]", "\"\xff\"", "nul"}) {
    SCOPED_TRACE(text);
    EXPECT_THAT(Parse(text), StatusIs(kInvalid, "not a valid JSON"));
  }
  EXPECT_THAT(Parse(R"({"a":1,"b":{"a":2},"a":3})"), StatusIs(kInvalid, "key \"a\" twice"));
  EXPECT_THAT(Parse(std::string(100000, '[')), StatusIs(kInvalid, "deeper than 64"));
  EXPECT_THAT(Parse("[1,2]", {.max_bytes = 3}), StatusIs(kInvalid, "limit of 3"));
}

TEST(Json, FieldsHaveTypes) {
  ASSERT_OK_AND_ASSIGN(const Value value,
                       Parse(R"({"s":"x","n":5,"l":["a"],"m":{"k":"v"},"set":{"80/tcp":{}},"nul":null,"big":18446744073709551615})"));
  EXPECT_EQ(*StringField(value, "s"), "x");
  EXPECT_EQ(*StringField(value, "nul", "d"), "d");
  EXPECT_EQ(*IntField(value, "n"), 5);
  EXPECT_EQ(StringListField(value, "l")->size(), 1u);
  EXPECT_EQ(StringMapField(value, "m")->front().second, "v");
  EXPECT_EQ(KeySetField(value, "set")->front(), "80/tcp");
  EXPECT_THAT(StringField(value, "n"), StatusIs(kInvalid, "\"n\" must be a string"));
  EXPECT_THAT(IntField(value, "big"), StatusIs(kInvalid, "\"big\""));
  EXPECT_THAT(StringListField(value, "s"), StatusIs(kInvalid, "list of strings"));
}

}  // namespace
}  // namespace strata::json
