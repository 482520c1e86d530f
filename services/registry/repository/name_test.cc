#include "services/registry/repository/name.h"

#include <string>
#include <vector>

#include "lib/testing/status_matchers.h"

namespace strata::registry {
namespace {

using strata::testing::StatusIs;

struct Case {
  std::string text;
  bool ok;
};

TEST(RepositoryNameTest, FollowsTheGrammar) {
  const std::vector<Case> cases = {
      {"a", true},
      {"library/busybox", true},
      {"a/b/c/d", true},
      {"a.b", true},
      {"a_b", true},
      {"a__b", true},
      {"a---b", true},
      {"0/1", true},
      {"blobs/uploads", true},
      {"", false},
      {"A", false},
      {"a/", false},
      {"/a", false},
      {"a//b", false},
      {"_build", false},
      {"a/_b", false},
      {"a_", false},
      {"a..b", false},
      {"a___b", false},
      {"a-_b", false},
      {"a b", false},
      {"..", false},
      {"a/../b", false},
      {std::string(kMaxRepositoryNameBytes, 'a'), true},
      {std::string(kMaxRepositoryNameBytes + 1, 'a'), false},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.text);
    EXPECT_EQ(CheckRepositoryName(c.text).ok(), c.ok);
  }
}

TEST(RepositoryNameTest, SaysWhatIsWrong) {
  EXPECT_THAT(CheckRepositoryName("Team/App"), StatusIs(absl::StatusCode::kInvalidArgument, "\"Team/App\""));
  EXPECT_THAT(CheckRepositoryName(std::string(300, 'a')), StatusIs(absl::StatusCode::kInvalidArgument, "longer than 255"));
}

TEST(TagTest, FollowsTheGrammar) {
  const std::vector<Case> cases = {
      {"latest", true},       {"1.0", true},  {"_x", true},   {"A-b_c.d", true}, {std::string(128, 'a'), true},
      {std::string(129, 'a'), false}, {"", false},   {".x", false},  {"-x", false},     {"a/b", false},
      {"a b", false},         {"a:b", false},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.text);
    EXPECT_EQ(CheckTag(c.text).ok(), c.ok);
  }
}

TEST(ReferenceTest, IsATagOrADigest) {
  ASSERT_OK_AND_ASSIGN(const Reference tag, ParseReference("v1"));
  EXPECT_EQ(tag.tag, "v1");
  EXPECT_FALSE(tag.digest.has_value());
  const Digest digest = Digest::Of("x");
  ASSERT_OK_AND_ASSIGN(const Reference by_digest, ParseReference(digest.ToString()));
  EXPECT_EQ(by_digest.digest, digest);
  EXPECT_TRUE(by_digest.tag.empty());
  EXPECT_THAT(ParseReference("sha256:baddigeststring"), StatusIs(absl::StatusCode::kInvalidArgument, "sha256:bad"));
  EXPECT_THAT(ParseReference(".bad"), StatusIs(absl::StatusCode::kInvalidArgument, ".bad"));
}

}  // namespace
}  // namespace strata::registry
