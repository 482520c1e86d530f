// What retention removes and what it leaves, through the whole engine; and a comparison with a simple model.
#include <algorithm>
#include <map>
#include <random>

#include "lib/blobstore/retention.h"
#include "services/store/engine/engine_testing.h"

namespace strata::store {
namespace {

using blobstore::RetentionReport;
using blobstore::RetentionRule;
using testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RetentionTest : public EngineTest {
 protected:
  static RetentionRule Tags(const std::string& tags, int64_t keep_last, absl::Duration keep_younger = {}, bool protect = false) {
    return {.repositories = "**", .tags = tags, .protect = protect, .keep_last = keep_last, .keep_younger = keep_younger,
            .remove_untagged_after = {}};
  }
  static RetentionRule Untagged(absl::Duration age) {
    return {.repositories = "**", .tags = "", .protect = false, .keep_last = 0, .keep_younger = {}, .remove_untagged_after = age};
  }
  RetentionReport Apply(const blobstore::RetentionRunOptions& options = {}) {
    const auto report = engine_->ApplyRetention(context_, options);
    EXPECT_OK(report);
    return report.ok() ? *report : RetentionReport();
  }
  std::vector<std::string> TagNames(absl::string_view repository) {
    const auto page = engine_->ListTags(context_, repository, "", 0);
    std::vector<std::string> names;
    for (const auto& tag : page.ok() ? page->items : std::vector<blobstore::TagEntry>()) names.push_back(tag.name);
    return names;
  }
  bool HasManifest(const Digest& digest) {
    return engine_->GetManifest(context_, "a", {"", digest}, true).ok();
  }
};

TEST_F(RetentionTest, WithoutRulesNothingGoes) {
  PushImage("a", "t", 1);
  PushImage("a", "", 2);
  clock_.Advance(absl::Hours(24 * 1000));
  const auto report = Apply();
  EXPECT_EQ(report.tags_removed + report.manifests_removed, 0);
  EXPECT_OK(engine_->CollectDue());
  EXPECT_EQ(Statistics().manifests, 2);
}

TEST_F(RetentionTest, RulesAreKeptAndChecked) {
  const std::vector<RetentionRule> rules = {Tags("v*", 0, {}, true), Tags("*", 3, absl::Hours(5)), Untagged(absl::Hours(24))};
  ASSERT_OK(engine_->SetRetentionRules(context_, rules));
  EXPECT_THAT(engine_->SetRetentionRules(context_, {Tags("[", 1)}), StatusIs(absl::StatusCode::kInvalidArgument, "rule 1"));
  Reopen();
  ASSERT_OK_AND_ASSIGN(const auto stored, engine_->GetRetentionRules(context_));
  EXPECT_TRUE(stored == rules);
  EXPECT_THAT(engine_->ApplyRetention(context_, {.dry_run = false, .rules = rules, .repository = "", .limit = 0}),
              StatusIs(absl::StatusCode::kInvalidArgument, "dry run"));
}

TEST_F(RetentionTest, TheNewestTagsStayAndTheRestIsInTheHistory) {
  std::vector<Digest> digests;
  for (uint32_t i = 0; i < 6; ++i) {
    digests.push_back(PushImage("a", absl::StrCat("t", i), i));
    clock_.Advance(absl::Hours(1));
  }
  PushImage("a", "v1", 100);
  clock_.Advance(absl::Hours(48));
  ASSERT_OK(engine_->SetRetentionRules(context_, {Tags("t*", 2), Tags("v*", 0, {}, true)}));
  const auto plan = Apply({.dry_run = true, .rules = std::nullopt, .repository = "", .limit = 2});
  EXPECT_EQ(plan.tags_removed, 4);
  EXPECT_EQ(plan.manifests_removed, 4);
  EXPECT_EQ(plan.blobs_freed, 8);
  EXPECT_EQ(plan.bytes_freed, 4 * 100100);
  EXPECT_EQ(plan.removed.size(), 2u);
  EXPECT_TRUE(plan.has_more);
  EXPECT_EQ(TagNames("a").size(), 7u);
  const auto report = Apply();
  EXPECT_EQ(report.tags_removed, 4);
  EXPECT_THAT(TagNames("a"), ElementsAre("t4", "t5", "v1"));
  ASSERT_OK_AND_ASSIGN(const auto history, engine_->ListTagHistory(context_, "a", "t0", 0, 0));
  EXPECT_EQ(history.items[0].change, blobstore::TagChange::kRetention);
  // A mistake can be put right in the grace period; then the content follows.
  ASSERT_OK(engine_->SetTag(context_, "a", "back", *history.items[1].digest));
  clock_.Advance(absl::Hours(25));
  EXPECT_OK(engine_->CollectDue());
  EXPECT_TRUE(HasManifest(digests[0]));
  EXPECT_FALSE(HasManifest(digests[1]));
  clock_.Advance(absl::Hours(25));
  EXPECT_OK(engine_->CollectDue());
  EXPECT_EQ(Statistics().blobs, 8);
}

TEST_F(RetentionTest, UntaggedManifestsGoWhenNothingNamesThem) {
  const Digest replaced = PushImage("a", "latest", 1);
  const Digest child = PushImage("a", "", 2);
  const Digest alone = PushImage("a", "", 3);
  blobstore::PutManifestOptions tagged;
  tagged.tags = {"index"};
  ASSERT_OK(engine_->PutManifest(context_, "a", kIndexType, IndexJson({child}), tagged));
  const Digest config = Upload("a", "{}");
  const std::string subject = absl::StrCat(R"(,"subject":)", DescriptorJson(kImageType, child, 1));
  ASSERT_OK_AND_ASSIGN(const auto signature, engine_->PutManifest(context_, "a", kImageType, ImageJson(config, {}, subject), {}));
  ASSERT_OK(engine_->SetRetentionRules(context_, {Untagged(absl::Hours(48))}));
  clock_.Advance(absl::Hours(47));
  EXPECT_EQ(Apply().manifests_removed, 0);
  PushImage("a", "latest", 4);
  clock_.Advance(absl::Hours(2));
  const auto plan = Apply({.dry_run = true, .rules = std::nullopt, .repository = "", .limit = 0});
  EXPECT_EQ(plan.manifests_removed, 1);
  EXPECT_EQ(plan.blobs_freed, 2);
  EXPECT_EQ(Apply().manifests_removed, 1);
  EXPECT_FALSE(HasManifest(alone));
  // Counted from when it lost its tag, so that there is time to go back.
  EXPECT_TRUE(HasManifest(replaced));
  clock_.Advance(absl::Hours(48));
  EXPECT_EQ(Apply().manifests_removed, 1);
  EXPECT_FALSE(HasManifest(replaced));
  EXPECT_TRUE(HasManifest(child));
  EXPECT_TRUE(HasManifest(signature.digest));
}

TEST_F(RetentionTest, OnlyTheRepositoriesOfARuleAreTouched) {
  for (const char* repository : {"team/app", "other/app", "team/app/sub"}) PushImage(repository, "t", 1);
  clock_.Advance(absl::Hours(100));
  RetentionRule rule = Tags("*", 0, absl::Hours(1));
  rule.repositories = "team/*";
  const auto plan = Apply({.dry_run = true, .rules = std::vector<RetentionRule>{rule}, .repository = "other/app", .limit = 0});
  EXPECT_EQ(plan.tags_removed, 0);
  ASSERT_OK(engine_->SetRetentionRules(context_, {rule}));
  EXPECT_EQ(Apply().tags_removed, 1);
  EXPECT_THAT(TagNames("team/app"), IsEmpty());
  EXPECT_THAT(TagNames("team/app/sub"), ElementsAre("t"));
}

TEST_F(RetentionTest, ACancelledRunStops) {
  PushImage("a", "t", 1);
  clock_.Advance(absl::Hours(100));
  ASSERT_OK(engine_->SetRetentionRules(context_, {Tags("*", 0, absl::Hours(1))}));
  Cancellation cancellation;
  CallContext cancelled;
  cancelled.cancellation = &cancellation;
  cancellation.Cancel();
  EXPECT_THAT(engine_->ApplyRetention(cancelled, {}), StatusIs(absl::StatusCode::kCancelled, ""));
  EXPECT_THAT(TagNames("a"), ElementsAre("t"));
}

// What the rules mean, said as simply as possible.
std::vector<std::string> Model(const std::map<std::string, absl::Time>& tags, const blobstore::RetentionPolicy& policy, absl::Time now) {
  std::vector<std::string> kept;
  for (const auto& [name, updated] : tags) {
    const std::optional<size_t> rule = policy.RuleForTag("a", name);
    if (!rule) {
      kept.push_back(name);
      continue;
    }
    int64_t newer = 0;
    for (const auto& [other, other_updated] : tags) {
      if (policy.RuleForTag("a", other) == rule && std::make_pair(other_updated, other) > std::make_pair(updated, name)) ++newer;
    }
    const RetentionRule& decides = policy.rules()[*rule];
    if (newer < decides.keep_last || updated + decides.keep_younger > now) kept.push_back(name);
  }
  return kept;
}

TEST_F(RetentionTest, AgreesWithASimpleModel) {
  std::mt19937 random(20261124);
  const auto upto = [&](int n) { return static_cast<int>(random() % static_cast<uint32_t>(n)); };
  const Digest digest = PushImage("a", "seed", 1);
  for (int round = 0; round < 40; ++round) {
    for (int i = upto(8); i >= 0; --i) {
      const std::string tag = absl::StrCat(std::string(1, static_cast<char>('a' + upto(3))), upto(6));
      ASSERT_OK(engine_->SetTag(context_, "a", tag, digest));
      clock_.Advance(absl::Minutes(upto(3) * 40));
    }
    std::vector<RetentionRule> rules;
    for (int i = upto(4); i > 0; --i) {
      const char* patterns[] = {"a*", "b*", "*", "?[0-2]"};
      rules.push_back(Tags(patterns[upto(4)], 1 + upto(4), absl::Hours(upto(4))));
      if (upto(5) == 0) rules.back() = Tags(patterns[upto(4)], 0, {}, true);
    }
    std::map<std::string, absl::Time> tags;
    ASSERT_OK_AND_ASSIGN(const auto page, engine_->ListTags(context_, "a", "", 0));
    for (const auto& tag : page.items) tags[tag.name] = tag.updated;
    ASSERT_OK_AND_ASSIGN(const auto policy, blobstore::RetentionPolicy::Compile(rules));
    const std::vector<std::string> want = Model(tags, policy, clock_.Now());
    const auto plan = Apply({.dry_run = true, .rules = rules, .repository = "", .limit = 0});
    ASSERT_EQ(plan.tags_removed, static_cast<int64_t>(tags.size() - want.size())) << "round " << round;
    ASSERT_OK(engine_->SetRetentionRules(context_, rules));
    EXPECT_EQ(Apply().tags_removed, plan.tags_removed);
    ASSERT_EQ(TagNames("a"), want) << "round " << round;
  }
}

}  // namespace
}  // namespace strata::store
