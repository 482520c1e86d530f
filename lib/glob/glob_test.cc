#include "lib/glob/glob.h"

#include "lib/testing/status_matchers.h"

namespace strata::glob {
namespace {

using ::strata::testing::StatusIs;

struct Case {
  absl::string_view pattern;
  absl::string_view path;
  bool want;
};

void Check(const std::vector<Case>& cases, Syntax syntax) {
  for (const Case& c : cases) {
    SCOPED_TRACE(::testing::Message() << "pattern " << c.pattern << ", path " << c.path);
    ASSERT_OK_AND_ASSIGN(const Pattern pattern, Pattern::Compile(c.pattern, syntax));
    EXPECT_EQ(pattern.Matches(c.path), c.want);
  }
}

TEST(Pattern, SimpleSyntaxStaysInsideAComponent) {
  Check(
      {
          {"", "", true},
          {"", "a", false},
          {"abc", "abc", true},
          {"abc", "abcd", false},
          {"*", "abc", true},
          {"*", "a/b", false},
          {"*c", "abc", true},
          {"a*", "a", true},
          {"a*/b", "abc/b", true},
          {"a*/b", "a/c/b", false},
          {"a*b*c*d*e*/f", "axbxcxdxe/f", true},
          {"a*b*c*d*e*/f", "axbxcxdxexxx/fff", false},
          {"a*b?c*x", "abxbbxdbxebxczzx", true},
          {"a*b?c*x", "abxbbxdbxebxczzy", false},
          {"ab[c]", "abc", true},
          {"ab[b-d]", "abc", true},
          {"ab[e-g]", "abc", false},
          {"ab[^c]", "abc", false},
          {"ab[^e-g]", "abc", true},
          {"a\\*b", "a*b", true},
          {"a\\*b", "ab", false},
          {"a?b", "a\xE2\x98\xBA" "b", true},
          {"a[^a]b", "a\xE2\x98\xBA" "b", true},
          {"a???b", "a\xE2\x98\xBA" "b", false},
          {"[a-\xCE\xB6]*", "\xCE\xB1", true},
          {"*[a-\xCE\xB6]", "A", false},
          {"a?b", "a/b", false},
          {"a*b", "a/b", false},
          {"a[^x]b", "a/b", false},
          {"[\\]a]", "]", true},
          {"[\\-x]", "-", true},
          {"[x\\-]", "z", false},
          {"**", "ab", true},
          {"**", "a/b", false},
          {"a/**/b", "a/c/d/b", false},
          {"\xFF", "\xFF", true},
          {"?", "\xFF", true},
          {"?", "\xFF\xFE", false},
      },
      Syntax::kSimple);
}

TEST(Pattern, DoubleStarCrossesComponents) {
  Check(
      {
          {"**", "a/b/c", true},
          {"**/c", "c", true},
          {"**/c", "a/b/c", true},
          {"**/c", "abc", false},
          {"a/**/c", "a/c", true},
          {"a/**/c", "a/b/b/c", true},
          {"a/**/c", "ac", false},
          {"a/**", "a/b/c", true},
          {"a/**", "a", false},
          {"**/*.go", "x/y.go", true},
          {"**/*.go", "x/y.gox", false},
          {"a**/b", "a/x/b", true},
          {"a**/b", "ab", true},
          {"**/**/c", "a/c", true},
          {"*/**/c", "a/c", true},
          {"*/**/c", "c", false},
      },
      Syntax::kDoubleStar);
}

TEST(Pattern, MatchesFoldersAbove) {
  const struct {
    absl::string_view pattern, path;
    bool want;
  } cases[] = {
      {"a", "a/b/c", true},     {"a", "ab/c", false},     {"a/*", "a/b/c", true},    {"*", "a/b/c", true},
      {"*/c", "a/b/c", false},  {"**/b", "a/b/c", true},  {"a/b/c/d", "a/b", false}, {"a?", "ab/c", true},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(::testing::Message() << "pattern " << c.pattern << ", path " << c.path);
    ASSERT_OK_AND_ASSIGN(const Pattern pattern, Pattern::Compile(c.pattern, Syntax::kDoubleStar));
    EXPECT_EQ(pattern.MatchesPathOrParent(c.path), c.want);
  }
}

TEST(Pattern, KnowsWhetherSomethingBelowMayMatch) {
  const struct {
    absl::string_view pattern, folder;
    bool want;
  } cases[] = {
      {"a/b/c", "a", true},  {"a/b/c", "a/b", true}, {"a/b/c", "a/b/c", false}, {"a/b/c", "x", false}, {"a/*/c", "a/q", true},
      {"a/*", "a/q", false}, {"**/x", "q/r", true},  {"a*/x", "b", false},      {"a*/x", "ab", true},  {"a", "", true},
      {"a/", "a", false},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(::testing::Message() << "pattern " << c.pattern << ", folder " << c.folder);
    ASSERT_OK_AND_ASSIGN(const Pattern pattern, Pattern::Compile(c.pattern, Syntax::kDoubleStar));
    EXPECT_EQ(pattern.MayMatchBelow(c.folder), c.want);
  }
}

TEST(Pattern, RefusesMalformedPatterns) {
  for (const absl::string_view text : {"[", "[]", "[]a]", "[-]", "[x-]", "[-x]", "[a", "[^", "[^bc", "a[", "a\\", "[a-b-c]"}) {
    SCOPED_TRACE(text);
    EXPECT_THAT(Pattern::Compile(text), StatusIs(absl::StatusCode::kInvalidArgument, "malformed pattern"));
  }
  EXPECT_THAT(Pattern::Compile(std::string(kMaxPatternBytes + 1, 'a')),
              StatusIs(absl::StatusCode::kInvalidArgument, "more than the allowed"));
}

TEST(Pattern, StaysFastOnHostilePatterns) {
  std::string text;
  for (int i = 0; i < 200; ++i) text += "*a**/";
  ASSERT_OK_AND_ASSIGN(const Pattern pattern, Pattern::Compile(text + "b", Syntax::kDoubleStar));
  EXPECT_FALSE(pattern.Matches(std::string(4000, 'a')));
}

TEST(Pattern, TellsLiteralsFromWildcards) {
  ASSERT_OK_AND_ASSIGN(const Pattern literal, Pattern::Compile("a\\*b/c"));
  EXPECT_TRUE(literal.is_literal());
  EXPECT_EQ(literal.literal(), "a*b/c");
  ASSERT_OK_AND_ASSIGN(const Pattern wild, Pattern::Compile("src/*.c"));
  EXPECT_FALSE(wild.is_literal());
  EXPECT_EQ(wild.literal(), "src/");
  EXPECT_TRUE(HasWildcard("a[b]"));
  EXPECT_FALSE(HasWildcard("a\\[b"));
  ASSERT_OK_AND_ASSIGN(const bool matches, MatchGlob("src/*.c", "src/a.c"));
  EXPECT_TRUE(matches);
}

TEST(Escape, MatchesThePathAlone) {
  for (const char* path : {"a", "a[1].txt", "*", "a\\b", "?/[^x]/**"}) {
    SCOPED_TRACE(path);
    EXPECT_FALSE(HasWildcard(Escape(path)));
    ASSERT_OK_AND_ASSIGN(const Pattern pattern, Pattern::Compile(Escape(path), Syntax::kDoubleStar));
    EXPECT_TRUE(pattern.is_literal());
    EXPECT_EQ(pattern.literal(), path);
  }
}

}  // namespace
}  // namespace strata::glob
