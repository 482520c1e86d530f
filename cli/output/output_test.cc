#include "cli/output/human.h"
#include "cli/output/table.h"
#include "gtest/gtest.h"

namespace strata::cli {
namespace {

TEST(HumanTest, Sizes) {
  EXPECT_EQ(HumanSize(0), "0B");
  EXPECT_EQ(HumanSize(999), "999B");
  EXPECT_EQ(HumanSize(1000), "1kB");
  EXPECT_EQ(HumanSize(3'141'592), "3.14MB");
  EXPECT_EQ(HumanSize(999'999), "1MB");
  EXPECT_EQ(HumanSize(1'073'741'824), "1.07GB");
  EXPECT_EQ(HumanSize(-5), "0B");
}

TEST(HumanTest, Durations) {
  EXPECT_EQ(HumanDuration(absl::Milliseconds(120)), "0.1s");
  EXPECT_EQ(HumanDuration(absl::Seconds(99)), "99.0s");
  EXPECT_EQ(HumanDuration(absl::Seconds(125)), "2m05s");
  EXPECT_EQ(HumanDuration(absl::Seconds(3725)), "1h02m");
  EXPECT_EQ(HumanDuration(-absl::Seconds(1)), "0.0s");
}

TEST(HumanTest, Ages) {
  const absl::Time now = absl::FromUnixSeconds(1'700'000'000);
  EXPECT_EQ(HumanAge(now - absl::Seconds(1), now), "1 second ago");
  EXPECT_EQ(HumanAge(now - absl::Hours(47), now), "47 hours ago");
  EXPECT_EQ(HumanAge(now - absl::Hours(24 * 21), now), "3 weeks ago");
  EXPECT_EQ(HumanAge(now - absl::Hours(24 * 400), now), "13 months ago");
  EXPECT_EQ(HumanAge(absl::UnixEpoch(), now), "N/A");
}

TEST(HumanTest, LinesFromABuildCannotMoveTheCursor) {
  EXPECT_EQ(CleanLine("a\tb\x1b[2Jc\x1b]0;title\a!\r\n", false), "a    bc!");
  EXPECT_EQ(CleanLine("\x1b[31mred\x1b[0m\x1b[1A", true), "\x1b[31mred\x1b[0m");
  EXPECT_EQ(CleanLine("10%\r20%\r30%", false), "30%");
  EXPECT_EQ(CleanLine("bad\xFFutf8 \xC2\x9B" "2J", false), "bad?utf8 2J");
}

TEST(HumanTest, WidthCountsColumnsNotBytes) {
  EXPECT_EQ(DisplayWidth("größe"), 5);
  EXPECT_EQ(DisplayWidth("日本"), 4);
  EXPECT_EQ(FitWidth("größe", 4, true), "grö…");
  EXPECT_EQ(FitWidth("abcdefgh", 6, false), "abc...");
  EXPECT_EQ(FitWidth("日本語", 4, true), "日…");
  EXPECT_EQ(FitWidth("abc", 3, true), "abc");
  EXPECT_EQ(FitWidth("abcd", 1, true), "a");
}

TEST(TableTest, AlignsColumns) {
  Table table({"REPOSITORY", "TAG", "SIZE"});
  table.AddRow({"app", "1", "3MB"});
  table.AddRow({"team/größe-service", "latest", "12.3MB"});
  EXPECT_EQ(table.ToString(),
            "REPOSITORY           TAG      SIZE\n"
            "app                  1        3MB\n"
            "team/größe-service   latest   12.3MB\n");
}

}  // namespace
}  // namespace strata::cli
