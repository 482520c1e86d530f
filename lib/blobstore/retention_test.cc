#include "lib/blobstore/retention.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/testing/status_matchers.h"

namespace strata::blobstore {
namespace {

using strata::testing::StatusIs;
using enum absl::StatusCode;

RetentionRule Protect(const std::string& repositories, const std::string& tags) {
  return {.repositories = repositories, .tags = tags, .protect = true, .keep_last = 0, .keep_younger = {}, .remove_untagged_after = {}};
}
RetentionRule KeepLast(const std::string& repositories, const std::string& tags, int64_t count) {
  return {.repositories = repositories, .tags = tags, .protect = false, .keep_last = count, .keep_younger = {}, .remove_untagged_after = {}};
}
RetentionRule Untagged(const std::string& repositories, absl::Duration age) {
  return {.repositories = repositories, .tags = "", .protect = false, .keep_last = 0, .keep_younger = {}, .remove_untagged_after = age};
}

TEST(RetentionPolicyTest, BadRulesAreNamed) {
  RetentionRule both = KeepLast("**", "*", 1);
  both.protect = true;
  RetentionRule mixed = KeepLast("**", "*", 1);
  mixed.remove_untagged_after = absl::Hours(1);
  RetentionRule negative = KeepLast("**", "*", 1);
  negative.keep_younger = -absl::Hours(1);
  RetentionRule tagged = Untagged("**", absl::Hours(1));
  tagged.tags = "*";
  const struct {
    const char* name;
    RetentionRule rule;
    const char* want;
  } cases[] = {
      {"nothing said", KeepLast("**", "*", 0), "says neither"},
      {"no repositories", KeepLast("", "*", 1), "pattern of repositories"},
      {"no tags", KeepLast("**", "", 1), "need a pattern of tags"},
      {"protects and keeps", both, "it protects"},
      {"two kinds", mixed, "make two rules"},
      {"untagged with tags", tagged, "leave the pattern of tags out"},
      {"too many kept", KeepLast("**", "*", 10'001), "10001"},
      {"negative count", KeepLast("**", "*", -1), "-1"},
      {"negative age", negative, "keep_younger"},
      {"too short", Untagged("**", absl::Seconds(1)), "remove_untagged_after is 1s"},
      {"too long", Untagged("**", absl::InfiniteDuration()), "remove_untagged_after"},
      {"bad glob", KeepLast("[", "*", 1), "["},
      {"bad tag glob", KeepLast("**", "v[", 1), "["},
      {"long", KeepLast(std::string(257, 'a'), "*", 1), "257"},
  };
  for (const auto& test : cases) {
    SCOPED_TRACE(test.name);
    const auto policy = RetentionPolicy::Compile({Protect("**", "x"), test.rule});
    EXPECT_THAT(policy, StatusIs(kInvalidArgument, "rule 2"));
    EXPECT_THAT(policy, StatusIs(kInvalidArgument, test.want));
    EXPECT_THAT(CheckRetentionRule(test.rule), StatusIs(kInvalidArgument, test.want));
  }
  EXPECT_THAT(RetentionPolicy::Compile(std::vector<RetentionRule>(101, Protect("**", "*"))), StatusIs(kInvalidArgument, "101"));
}

TEST(RetentionPolicyTest, WithoutRulesNothingIsDecided) {
  const RetentionPolicy policy;
  EXPECT_FALSE(policy.Concerns("a"));
  EXPECT_EQ(policy.RuleForTag("a", "t"), std::nullopt);
  EXPECT_EQ(policy.RuleForUntagged("a"), std::nullopt);
}

TEST(RetentionPolicyTest, ProtectionComesFirstThenTheFirstMatch) {
  ASSERT_OK_AND_ASSIGN(const RetentionPolicy policy,
                       RetentionPolicy::Compile({KeepLast("team/*", "pr-*", 1), KeepLast("**", "*", 10), Untagged("**", absl::Hours(1)),
                                                 Protect("**", "v*"), Protect("archive/**", "")}));
  EXPECT_EQ(policy.RuleForTag("team/app", "pr-1"), 0u);
  EXPECT_EQ(policy.RuleForTag("team/app/sub", "pr-1"), 1u);
  EXPECT_EQ(policy.RuleForTag("team/app", "main"), 1u);
  EXPECT_EQ(policy.RuleForTag("team/app", "v1.0"), std::nullopt);
  EXPECT_EQ(policy.RuleForUntagged("team/app"), 2u);
  EXPECT_EQ(policy.RuleForUntagged("archive/a/b"), std::nullopt);
  EXPECT_TRUE(policy.Concerns("team/app"));
  EXPECT_FALSE(policy.Concerns("_build"));
}

}  // namespace
}  // namespace strata::blobstore
