// `strata store ...`.
#include "cli/app_fixture_for_test.h"

namespace strata::cli {
namespace {

using ::testing::HasSubstr;

class StoreCommandTest : public AppFixture {};

TEST_F(StoreCommandTest, AnAwayStoreIsNamed) {
  variables_["STRATA_STORE"] = "127.0.0.1:1";
  EXPECT_EQ(Run({"store", "stat"}), 3);
  EXPECT_THAT(err_, HasSubstr("store at 127.0.0.1:1 is not reachable"));
}

TEST_F(StoreCommandTest, TheGroupExplainsItself) {
  EXPECT_EQ(Run({"store"}), 0);
  EXPECT_THAT(out_, HasSubstr("prune-cache"));
  EXPECT_EQ(Run({"help", "store"}), 0);
  EXPECT_THAT(out_, HasSubstr("strata store [flags] COMMAND"));
  EXPECT_EQ(Run({"store", "stat", "--help"}), 0);
  EXPECT_THAT(out_, HasSubstr("strata store stat"));
  EXPECT_EQ(Run({"store", "stats"}), 2);
  EXPECT_THAT(err_, HasSubstr("did you mean \"store stat\"?"));
  EXPECT_EQ(Run({"store", "gc", "now"}), 2);
  EXPECT_THAT(err_, HasSubstr("one argument too many, \"now\""));
}

TEST_F(StoreCommandTest, QuotaSaysWhatItWants) {
  EXPECT_EQ(Run({"store", "quota", "list"}), 2);
  EXPECT_THAT(err_, HasSubstr("want ls, set or rm"));
  EXPECT_EQ(Run({"store", "quota", "set"}), 2);
  EXPECT_THAT(err_, HasSubstr("needs a prefix"));
  EXPECT_EQ(Run({"store", "quota", "ls", "team"}), 2);
}

}  // namespace
}  // namespace strata::cli
