#include "tests/crash/model.h"

#include "gtest/gtest.h"

namespace strata::crash {
namespace {

using Values = Model::Values;

class ModelTest : public ::testing::Test {
 protected:
  Values Look(const std::string& key) { return model_.Look(key).values; }
  void Set(const std::string& value, Outcome outcome) { Change(model_, {{"x", value}}, "set").End(outcome, ""); }

  Model model_{1};
};

TEST_F(ModelTest, AnAcknowledgedChangeIsTheValue) {
  EXPECT_TRUE(model_.Look("x").Is(kAbsent));
  Set("1", Outcome::kDone);
  EXPECT_TRUE(model_.Look("x").Is("1"));
  Set("2", Outcome::kRefused);
  EXPECT_TRUE(model_.Look("x").Is("1"));
}

TEST_F(ModelTest, WithoutAnAnswerBothArePossible) {
  Set("1", Outcome::kDone);
  Set("2", Outcome::kUnknown);
  EXPECT_EQ(Look("x"), (Values{"1", "2"}));
  Set("3", Outcome::kDone);
  EXPECT_EQ(Look("x"), (Values{"3"}));
}

TEST_F(ModelTest, OverlappingChangesLeaveBothValues) {
  Change first(model_, {{"x", "1"}}, "first");
  Change second(model_, {{"x", "2"}}, "second");
  EXPECT_FALSE(model_.Look("x").is_quiet);
  second.End(Outcome::kDone, "");
  first.End(Outcome::kDone, "");
  EXPECT_EQ(Look("x"), (Values{"1", "2"}));
  EXPECT_TRUE(model_.Observe("x", "1"));
  EXPECT_TRUE(model_.Look("x").Is("1"));
}

TEST_F(ModelTest, ChangesThatWereOverBeforeAreOut) {
  Set("1", Outcome::kDone);
  Change second(model_, {{"x", "2"}}, "second");
  Set("3", Outcome::kDone);
  second.End(Outcome::kDone, "");
  EXPECT_EQ(Look("x"), (Values{"2", "3"}));
}

TEST_F(ModelTest, AnImpossibleValueIsABrokenPromise) {
  Set("1", Outcome::kDone);
  EXPECT_FALSE(model_.has_failed());
  EXPECT_FALSE(model_.Observe("x", kAbsent));
  EXPECT_TRUE(model_.has_failed());
}

TEST_F(ModelTest, AChangeMayTurnOutToTouchMoreOrLess) {
  Change change(model_, {{"a", "1"}, {"b", "1"}}, "both");
  change.Drop("b");
  change.Add("c", "1");
  change.End(Outcome::kDone, "");
  EXPECT_TRUE(model_.Look("a").Is("1"));
  EXPECT_TRUE(model_.Look("b").Is(kAbsent));
  EXPECT_TRUE(model_.Look("c").Is("1"));
  EXPECT_EQ(model_.KeysWith(""), (std::vector<std::string>{"a", "c"}));
}

TEST_F(ModelTest, OnlyUnnamedLinksOfEndedLeasesMayBeCollected) {
  const std::string digest = Digest::Of("layer").ToString();
  ManifestFacts facts;
  facts.digest = Digest::Of("manifest");
  facts.blobs = {7};
  model_.Remember(facts);
  EXPECT_FALSE(model_.MayBeCollected("r", digest, 7));
  model_.EndLease("r", digest);
  EXPECT_TRUE(model_.MayBeCollected("r", digest, 7));
  Change(model_, {{ManifestKey("r", facts.digest.ToString()), kPresent}}, "put").End(Outcome::kDone, "");
  EXPECT_FALSE(model_.MayBeCollected("r", digest, 7));
  Change(model_, {{ManifestKey("r", facts.digest.ToString()), kAbsent}}, "delete").End(Outcome::kUnknown, "");
  EXPECT_TRUE(model_.MayBeCollected("r", digest, 7));
  model_.RenewLease("r", digest);
  EXPECT_FALSE(model_.MayBeCollected("r", digest, 7));
  model_.SetTinyGrace(true);
  EXPECT_TRUE(model_.MayBeCollected("r", digest, 7));
}

}  // namespace
}  // namespace strata::crash
