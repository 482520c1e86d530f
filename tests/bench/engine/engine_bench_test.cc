// The benchmark at a tiny scale: every scenario runs, bytes read back equal (the scenarios check it), space and offsets come back.
// Its speeds mean nothing and are not looked at.
#include <filesystem>

#include "lib/testing/scratch_dir.h"
#include "lib/testing/status_matchers.h"
#include "tests/bench/engine/push.h"
#include "tests/bench/engine/scenario.h"

namespace strata::bench {
namespace {

class EngineBenchTest : public ::testing::Test {
 protected:
  EngineBenchTest() : bench_{scratch_.path(), 1e-9, AllCandidates(), &report_} {}

  double Median(absl::string_view scenario, absl::string_view subject, absl::string_view metric) const {
    return report_.Median(scenario, subject, metric);
  }

  testing::ScratchDir scratch_;
  Report report_;
  const Bench bench_;
};

TEST_F(EngineBenchTest, TransferMeasuresEveryCandidate) {
  ASSERT_OK(RunTransfer(bench_));
  for (const CandidateKind& kind : AllCandidates()) {
    EXPECT_GT(Median("transfer", kind.name, "push GB/s"), 0) << kind.name;
    EXPECT_GT(Median("transfer", kind.name, "peak MiB"), 0) << kind.name;
    if (!kind.keeps_blobs) continue;
    EXPECT_GT(Median("transfer", kind.name, "1 MiB ranges/s"), 0) << kind.name;
  }
}

TEST_F(EngineBenchTest, RemovedSpaceComesBack) {
  ASSERT_OK(RunReclaim(bench_));
  for (const char* part : {", 1/4", ", 1/2"}) {
    for (const CandidateKind& kind : bench_.Keepers(false)) {
      EXPECT_GT(Median("reclaim", kind.name + part, "back after reclaim %"), 90) << kind.name << part;
    }
    // Without any work behind it.
    for (const std::string name : {"extent", "sst64"})
      EXPECT_GT(Median("reclaim", name + part, "back at once %"), 90) << name << part;
  }
}

TEST_F(EngineBenchTest, GrowthOpensAgainWithEveryBlob) {
  ASSERT_OK(RunGrowth(bench_));
  EXPECT_GT(Median("growth", "extent, 3", "open ms"), 0);
}

TEST_F(EngineBenchTest, ContentionLosesNothing) {
  ASSERT_OK(RunContention(bench_));
  for (const CandidateKind& kind : bench_.Keepers(false))
    EXPECT_GT(Median("contention", kind.name, "removing GB/s"), 0) << kind.name;
}

TEST_F(EngineBenchTest, ResumesWhereItWasAcknowledged) {
  ASSERT_OK(RunResume(bench_));
  for (const CandidateKind& kind : bench_.Keepers(true)) {
    EXPECT_EQ(Median("resume", kind.name, "acknowledged MiB"), 8) << kind.name;
    EXPECT_EQ(Median("resume", kind.name, "resumed at MiB"), 8) << kind.name;
  }
}

TEST_F(EngineBenchTest, SmallBlobsInlineAndInFiles) {
  ASSERT_OK(RunSmall(bench_));
  EXPECT_GT(Median("small", "4 KiB, 8 threads, inline", "commits/s"), 0);
  EXPECT_GT(Median("small", "256 KiB, 1 thread, file", "commits/s"), 0);
}

TEST_F(EngineBenchTest, RemovedIdsReturnTheirSpace) {
  ASSERT_OK(RunDeleteCost(bench_));
  for (const char* shape : {"1 MiB, allocated", "64 MiB, allocated", "1 MiB, written"}) {
    EXPECT_GT(Median("delete", shape, "back %"), 99) << shape;
  }
}

TEST(ChildTest, TellsItsErrorAndWhatItMeasuredBefore) {
  Measurements told;
  const absl::Status status = RunInChild(
      [](const Teller& teller) {
        teller.Tell("speed", 1.5);
        return absl::DataLossError("lost\nbytes");
      },
      &told);
  EXPECT_THAT(status, testing::StatusIs(absl::StatusCode::kDataLoss, "lost bytes"));
  EXPECT_EQ(Find(told, "speed", 0), 1.5);
  EXPECT_EQ(Find(told, "weight", -1), -1);
}

TEST(ReportTest, ShowsMediansInTheOrderOfArrival) {
  Report report;
  for (const double value : {3.0, 1.0, 250.4}) report.Add("s", "a", "m", value);
  report.Add("s", "b", "n", 0.1234);
  EXPECT_EQ(report.Render(), "### s\n\n| | m | n |\n|---|---:|---:|\n| a | 3.00 |  |\n| b |  | 0.123 |\n");
}

}  // namespace
}  // namespace strata::bench
