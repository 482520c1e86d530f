#include "services/builder/dockerfile/expand.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "lib/testing/status_matchers.h"

namespace strata::dockerfile {
namespace {

using ::strata::testing::StatusIs;
using ::testing::ElementsAre;

std::optional<std::string> Lookup(absl::string_view name) {
  static const auto& values = *new std::map<std::string, std::string>{
      {"v", "value"},       {"empty", ""},          {"path", "/usr/local/lib/libx.so.1"}, {"words", "a b  c"},
      {"star", "*"},        {"glob", "a*c"},        {"name_2", "under"},                  {"1", "one"},
      {"12", "twelve"},     {"tag", "v1.2.3-rc1"},  {"q", "say \"hi\""},                  {"utf", "h\xC3\xA9llo"},
  };
  const auto found = values.find(std::string(name));
  return found == values.end() ? std::nullopt : std::optional(found->second);
}

TEST(ExpandWord, KnowsEveryForm) {
  const struct {
    absl::string_view word, want;
  } cases[] = {
      // Plain text and quotes.
      {"", ""},
      {"plain", "plain"},
      {"a b", "a b"},
      {"'$v'", "$v"},
      {"\"$v\"", "value"},
      {"a'b'\"c\"", "abc"},
      {"\"it's\"", "it's"},
      {"'a\"b'", "a\"b"},
      {"\\$v", "$v"},
      {"\\'", "'"},
      {"a\\ b", "a b"},
      {"\"a\\\"b\"", "a\"b"},
      {"\"a\\nb\"", "a\\nb"},
      {"\"\\$v\"", "$v"},
      {"'a\\'", "a\\"},
      {"a\\", "a"},
      // Names.
      {"$v", "value"},
      {"${v}", "value"},
      {"x$v.y", "xvalue.y"},
      {"$v_", ""},
      {"${v}_", "value_"},
      {"$name_2", "under"},
      {"$1", "one"},
      {"$12", "twelve"},
      {"$1a", "onea"},
      {"$unset", ""},
      {"$", "$"},
      {"a$", "a$"},
      {"$.", "$."},
      {"$@$*$#$?$-$$$!", ""},
      {"$'x'", "$x"},
      // Fallbacks.
      {"${v:-w}", "value"},
      {"${empty:-w}", "w"},
      {"${unset:-w}", "w"},
      {"${empty-w}", ""},
      {"${unset-w}", "w"},
      {"${v:+w}", "w"},
      {"${empty:+w}", ""},
      {"${empty+w}", "w"},
      {"${unset+w}", ""},
      {"${unset:-}", ""},
      {"${unset:-a b}", "a b"},
      {"${unset:-${v}}", "value"},
      {"${unset:-${unset2:-$v}}x", "valuex"},
      {"${unset:-'}'}", "}"},
      {"${unset:-\\}}", "}"},
      {"\"${unset:-\"q\"}\"", "q"},
      {"${v:?no}", "value"},
      {"${empty?no}", ""},
      {"${v:-${unset:?never}}", "value"},
      // Prefixes and suffixes.
      {"${path#*/}", "usr/local/lib/libx.so.1"},
      {"${path##*/}", "libx.so.1"},
      {"${path%.*}", "/usr/local/lib/libx.so"},
      {"${path%%.*}", "/usr/local/lib/libx"},
      {"${path%/*}", "/usr/local/lib"},
      {"${tag#v}", "1.2.3-rc1"},
      {"${tag%-rc?}", "v1.2.3"},
      {"${tag#x}", "v1.2.3-rc1"},
      {"${v##*}", ""},
      {"${v#*}", "value"},
      {"${glob#a\\*}", "c"},
      {"${glob#'a*'}", "c"},
      {"${glob#\"a$star\"}", "c"},
      {"${v#?}", "alue"},
      {"${unset#x}", ""},
      // Replacements.
      {"${path/lib/LIB}", "/usr/local/LIB/libx.so.1"},
      {"${path//lib/LIB}", "/usr/local/LIB/LIBx.so.1"},
      {"${path//\\//-}", "-usr-local-lib-libx.so.1"},
      {"${tag//./_}", "v1_2_3-rc1"},
      {"${tag/*/all}", "all"},
      {"${v//a/}", "vlue"},
      {"${v//?/x}", "xxxxx"},
      {"${v/e/$name_2}", "valuunder"},
      {"${v/nothing/x}", "value"},
      {"${glob/\\*/-}", "a-c"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.word);
    ASSERT_OK_AND_ASSIGN(const std::string got, ExpandWord(c.word, Lookup));
    EXPECT_EQ(got, c.want);
  }
}

TEST(ExpandWord, HonoursTheEscapeCharacter) {
  ASSERT_OK_AND_ASSIGN(const std::string got, ExpandWord("C:\\dir\\`$v `` \"`\"\"", Lookup, {.escape = '`'}));
  EXPECT_EQ(got, "C:\\dir\\$v ` \"");
}

TEST(ExpandWord, SaysWhatIsWrong) {
  const struct {
    absl::string_view word, message;
  } cases[] = {
      {"${}", "bad substitution"},
      {"${:-x}", "bad substitution"},
      {"${", "missing '}'"},
      {"${v", "missing '}'"},
      {"${v:", "missing '}'"},
      {"${v:-x", "missing '}'"},
      {"${v#x", "missing '}'"},
      {"${v/x}", "missing '/'"},
      {"${v/x/y", "missing '}'"},
      {"${v:=x}", "unsupported modifier (:=)"},
      {"${v^}", "unsupported modifier (^)"},
      {"${unset:?need it}", "unset: need it"},
      {"${empty:?}", "empty: is not allowed to be empty"},
      {"${unset?}", "unset: is not allowed to be unset"},
      {"'x", "looking for matching single-quote"},
      {"\"x", "looking for matching double-quote"},
      {"it's", "looking for matching single-quote"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.word);
    EXPECT_THAT(ExpandWord(c.word, Lookup), StatusIs(absl::StatusCode::kInvalidArgument, c.message));
  }
}

TEST(ExpandWord, ReportsNamesThatAreUnsetWithoutAFallback) {
  std::vector<std::string> undefined;
  EXPECT_OK(ExpandWord("$v $a ${b} ${c:-x} ${d+x} ${e#x} ${v:-$f} ${g:-$h}", Lookup, {.undefined = &undefined}));
  EXPECT_THAT(undefined, ElementsAre("a", "b", "e", "h"));
}

TEST(ExpandWord, IsBounded) {
  const std::string big(1000, 'x');
  const auto lookup = [&big](absl::string_view) { return std::optional(big); };
  EXPECT_THAT(ExpandWord("$a$a$a", lookup, {.max_output_bytes = 2500}), StatusIs(absl::StatusCode::kInvalidArgument, "longer than 2500"));
  EXPECT_THAT(ExpandWord("${a//x/xxx}", lookup, {.max_output_bytes = 2500}), StatusIs(absl::StatusCode::kInvalidArgument, "2500"));
  std::string nested;
  for (int i = 0; i < 10000; ++i) nested += "${u:-";
  EXPECT_THAT(ExpandWord(nested, Lookup), StatusIs(absl::StatusCode::kInvalidArgument, "more than 32 levels"));
  const std::string long_value(1000 * 1000, 'x');
  const auto long_lookup = [&long_value](absl::string_view) { return std::optional(long_value); };
  EXPECT_THAT(ExpandWord("${a//x*y/z}", long_lookup), StatusIs(absl::StatusCode::kInvalidArgument, "too long"));
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "${a##*}";
  EXPECT_THAT(ExpandWord(many, long_lookup), StatusIs(absl::StatusCode::kInvalidArgument, "too long to match"));
}

TEST(ExpandWords, SplitsAtUnquotedBlanks) {
  const struct {
    absl::string_view text;
    std::vector<std::string> want;
  } cases[] = {
      {"", {}},
      {"  ", {}},
      {"a  b", {"a", "b"}},
      {"$words", {"a", "b", "c"}},
      {"\"$words\"", {"a b  c"}},
      {"x${words}y", {"xa", "b", "cy"}},
      {"$empty", {}},
      {"\"\"", {""}},
      {"'' a", {"", "a"}},
      {"a\\ b", {"a b"}},
      {"$unset:80", {":80"}},
      {"${unset:-1 2}", {"1", "2"}},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.text);
    ASSERT_OK_AND_ASSIGN(const std::vector<std::string> got, ExpandWords(c.text, Lookup));
    EXPECT_EQ(got, c.want);
  }
}

TEST(ExpandHeredoc, TakesQuotesAsText) {
  ASSERT_OK_AND_ASSIGN(const std::string got, ExpandHeredoc("it's \"$v\"\n\\$v \\\\ ${unset:-'x'}\n", Lookup));
  EXPECT_EQ(got, "it's \"value\"\n$v \\ 'x'\n");
}

}  // namespace
}  // namespace strata::dockerfile
