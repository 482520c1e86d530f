#include "lib/glob/ignore.h"

#include "lib/testing/status_matchers.h"

namespace strata::glob {
namespace {

using ::strata::testing::StatusIs;

TEST(IgnoreMatcher, LastMatchingLineDecides) {
  const struct {
    absl::string_view name, text, path;
    bool want;
  } cases[] = {
      {"empty file", "", "a", false},
      {"plain name", "a", "a", true},
      {"folder covers its contents", "node_modules", "node_modules/x/y.js", true},
      {"only at the root", "node_modules", "pkg/node_modules/x", false},
      {"anywhere", "**/node_modules", "pkg/node_modules/x", true},
      {"taken back", "*.md\n!README.md", "README.md", false},
      {"others stay out", "*.md\n!README.md", "NEWS.md", true},
      {"order matters", "!README.md\n*.md", "README.md", true},
      {"taken back below an ignored folder", "a\n!a/b", "a/b/c", false},
      {"sibling stays out", "a\n!a/b", "a/c", true},
      {"comment in column one", "#a\nb", "#a", false},
      {"no comment after a blank", " #a", "#a", true},
      {"trimmed", "  a \t", "a", true},
      {"carriage return", "a\r\nb\r\n", "a", true},
      {"byte order mark", "\xEF\xBB\xBF" "a", "a", true},
      {"leading slash", "/a/b", "a/b", true},
      {"cleaned", "./a//b/", "a/b", true},
      {"parent references", "a/../b", "b", true},
      {"star stays in a component", "*.log", "x/y.log", false},
      {"everything but one", "*\n!src", "src/a.c", false},
      {"everything but one, the rest", "*\n!src", "doc/a.c", true},
      {"dot is nothing", ".", "a", false},
      {"bang with blanks", "*\n! a", "a", false},
      {"leading slash after bang", "*\n!/a", "a", false},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    ASSERT_OK_AND_ASSIGN(const IgnoreMatcher matcher, IgnoreMatcher::Parse(c.text));
    EXPECT_EQ(matcher.Matches(c.path), c.want);
  }
}

TEST(IgnoreMatcher, TellsWhichIgnoredFoldersToEnter) {
  const struct {
    absl::string_view name, text, folder;
    bool want;
  } cases[] = {
      {"nothing is taken back", "a", "a", false},
      {"something in it is", "a\n!a/b", "a", true},
      {"something elsewhere is", "a\nc\n!a/b", "c", false},
      {"anywhere", "*\n!**/*.go", "vendor", true},
      {"taken back too early", "!a/b\na", "a", false},
      {"a level below", "*\n!src/x/y", "src/x", true},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    ASSERT_OK_AND_ASSIGN(const IgnoreMatcher matcher, IgnoreMatcher::Parse(c.text));
    EXPECT_EQ(matcher.MayReinclude(c.folder), c.want);
  }
}

TEST(IgnoreMatcher, ListsCleanedPatterns) {
  ASSERT_OK_AND_ASSIGN(const IgnoreMatcher matcher, IgnoreMatcher::Parse("# c\n/a/\n\n! ./b\n"));
  EXPECT_EQ(matcher.patterns(), (std::vector<std::string>{"a", "!b"}));
  ASSERT_OK_AND_ASSIGN(const IgnoreMatcher again, IgnoreMatcher::FromPatterns(matcher.patterns()));
  EXPECT_EQ(again.patterns(), matcher.patterns());
}

TEST(IgnoreMatcher, ErrorsNameTheLine) {
  EXPECT_THAT(IgnoreMatcher::Parse("a\n!\n"), StatusIs(absl::StatusCode::kInvalidArgument, "line 2: illegal exclusion pattern: \"!\""));
  EXPECT_THAT(IgnoreMatcher::Parse("a\n\n[x\n"), StatusIs(absl::StatusCode::kInvalidArgument, "line 3: malformed pattern \"[x\""));
  EXPECT_THAT(IgnoreMatcher::Parse(std::string(kMaxIgnoreBytes + 1, 'a')),
              StatusIs(absl::StatusCode::kInvalidArgument, "more than the allowed"));
}

}  // namespace
}  // namespace strata::glob
