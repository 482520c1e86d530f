#include "cli/context/context_filter.h"

#include <map>

#include "lib/testing/status_matchers.h"

namespace strata::cli {
namespace {

using testing::StatusIs;

glob::IgnoreMatcher Ignore(absl::string_view text) { return *glob::IgnoreMatcher::Parse(text); }

TEST(ContextFilterTest, JudgesByIncludeAndIgnore) {
  struct Case {
    const char* name;
    std::vector<std::string> include;
    const char* ignore;
    const char* path;
    bool is_folder;
    Verdict want;
  };
  const Case cases[] = {
      {"everything", {"."}, "", "a/b", false, Verdict::kTake},
      {"nothing asked", {}, "", "a", true, Verdict::kSkip},
      {"a folder stands for what is below", {"src"}, "", "src/x/y.c", false, Verdict::kTake},
      {"the way to an included file", {"src/x/y.c"}, "", "src/x", true, Verdict::kPassing},
      {"a file beside it", {"src/x/y.c"}, "", "src/x/z.c", false, Verdict::kSkip},
      {"a folder that cannot matter is pruned", {"src/x/y.c"}, "", "doc", true, Verdict::kSkip},
      {"a glob", {"*.json"}, "", "package.json", false, Verdict::kTake},
      {"a glob does not cross folders", {"*.json"}, "", "a/package.json", false, Verdict::kSkip},
      {"a glob of folders takes what is in them", {"pkg*"}, "", "pkg1/a/b", false, Verdict::kTake},
      {"double star", {"**/go.mod"}, "", "a/b/go.mod", false, Verdict::kTake},
      {"double star enters folders", {"**/go.mod"}, "", "a/b", true, Verdict::kPassing},
      {"uncleaned patterns", {"/./src//lib/"}, "", "src/lib/a", false, Verdict::kTake},
      {"ignored file", {"."}, "*.log", "a.log", false, Verdict::kSkip},
      {"ignored folder is pruned", {"."}, "node_modules", "node_modules", true, Verdict::kSkip},
      {"ignored folder with an exception", {"."}, "vendor\n!vendor/keep", "vendor", true, Verdict::kPassing},
      {"the exception", {"."}, "vendor\n!vendor/keep", "vendor/keep/a", false, Verdict::kTake},
      {"beside the exception", {"."}, "vendor\n!vendor/keep", "vendor/other", false, Verdict::kSkip},
      {"ignore wins over include", {"src/a"}, "src", "src/a", false, Verdict::kSkip},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    ASSERT_OK_AND_ASSIGN(const ContextFilter filter, ContextFilter::Create(c.include, Ignore(c.ignore)));
    EXPECT_EQ(filter.Judge(c.path, c.is_folder), c.want);
  }
}

TEST(ContextFilterTest, FollowsLinksThatGlobsFind) {
  const std::map<std::string, std::string> links = {{"pkg-a", "real/a"}, {"real/a/inner", "/shared"}, {"other", "secret"}};
  const std::map<std::string, std::vector<std::string>> folders = {{"", {"other", "pkg-a", "real", "secret"}}, {"real/a", {"inner", "x"}}};
  const auto target = [&](absl::string_view path) -> std::optional<std::string> {
    const auto found = links.find(std::string(path));
    if (found == links.end()) return std::nullopt;
    return found->second;
  };
  const auto names = [&](absl::string_view path) {
    const auto found = folders.find(std::string(path));
    return found == folders.end() ? std::vector<std::string>() : found->second;
  };
  ASSERT_OK_AND_ASSIGN(const ContextFilter filter, ContextFilter::Create({"pkg-*/in*"}, {}, target, names));
  EXPECT_EQ(filter.Judge("pkg-a", false), Verdict::kTake);
  EXPECT_EQ(filter.Judge("real/a/inner", false), Verdict::kTake);
  EXPECT_EQ(filter.Judge("shared/file", false), Verdict::kTake);
  EXPECT_EQ(filter.Judge("real/a/x", false), Verdict::kSkip);
  EXPECT_EQ(filter.Judge("secret", true), Verdict::kSkip);
}

TEST(ContextFilterTest, FollowsLinksInsideTheRoot) {
  const std::map<std::string, std::string> links = {
      {"current", "releases/v2"}, {"releases/v2/lib", "../../shared/lib"}, {"out", "../../etc"}, {"loop", "loop"}, {"abs", "/shared"}};
  const auto target = [&](absl::string_view path) -> std::optional<std::string> {
    const auto found = links.find(std::string(path));
    if (found == links.end()) return std::nullopt;
    return found->second;
  };
  ASSERT_OK_AND_ASSIGN(const ContextFilter filter, ContextFilter::Create({"current/lib/a.so", "loop", "abs/x"}, {}, target));
  EXPECT_EQ(filter.Judge("current", false), Verdict::kTake);
  EXPECT_EQ(filter.Judge("releases/v2/lib", false), Verdict::kTake);
  EXPECT_EQ(filter.Judge("shared/lib/a.so", false), Verdict::kTake);
  EXPECT_EQ(filter.Judge("shared/x", false), Verdict::kTake);
  EXPECT_EQ(filter.Judge("shared/lib/b.so", false), Verdict::kSkip);
  ASSERT_OK_AND_ASSIGN(const ContextFilter outside, ContextFilter::Create({"out/passwd"}, {}, target));
  EXPECT_EQ(outside.Judge("etc/passwd", false), Verdict::kTake);  // the root's own etc, as in a chroot
}

TEST(ContextFilterTest, QuotesAMalformedPattern) {
  EXPECT_THAT(ContextFilter::Create({"a[b"}, {}), StatusIs(absl::StatusCode::kInvalidArgument, "pattern \"a[b\""));
}

}  // namespace
}  // namespace strata::cli
