// What the scrubber reads, finds, and remembers over a restart.
#include "services/store/scrub/scrubber.h"

#include "services/store/engine/engine_testing.h"

namespace strata::store {
namespace {

using testing::StatusIs;
using Verdict = Examination::Verdict;

class ScrubberTest : public EngineTest {
 protected:
  ScrubberTest() {
    options_.on_quarantine = [this](const Digest& digest, absl::string_view) { found_.push_back(digest); };
    Reopen();
  }

  static ScrubOptions Fast() { return {.bytes_per_second = int64_t{1} << 40}; }

  // A whole cycle; returns how it ended.
  ScrubProgress RunCycle() {
    Scrubber scrubber(engine_->core(), Fast());
    absl::StatusOr<bool> has_more = true;
    while (has_more.ok() && *has_more) has_more = scrubber.Step();
    EXPECT_OK(has_more);
    const auto progress = scrubber.Progress();
    EXPECT_OK(progress);
    return progress.ok() ? *progress : ScrubProgress();
  }

  // Changes one byte of the only extent.
  void Damage(size_t at) {
    ASSERT_EQ(Extents().size(), 1u);
    std::string content = testing::ReadFile(Extents()[0]);
    content[at] ^= 1;
    testing::WriteFile(Extents()[0], content);
  }

  static absl::Status NoWait(size_t) { return absl::OkStatus(); }

  std::vector<Digest> found_;
};

TEST_F(ScrubberTest, ReadsEverythingAndRestsUntilTheNextCycleIsDue) {
  for (uint32_t i = 0; i < 200; ++i) Upload("a", MakeContent(100 + i, i));
  Upload("a", MakeContent(3'000'001, 7));
  ScrubProgress progress = RunCycle();
  EXPECT_EQ(progress.cycle, 1);
  EXPECT_EQ(progress.blobs, 201);
  EXPECT_EQ(progress.bytes, Statistics().blob_bytes);
  EXPECT_EQ(progress.damaged, 0);
  EXPECT_TRUE(progress.ended.has_value());
  EXPECT_EQ(RunCycle().cycle, 1);
  clock_.Advance(absl::Hours(24 * 30));
  progress = RunCycle();
  EXPECT_EQ(progress.cycle, 2);
  EXPECT_FALSE(progress.is_deep);
  clock_.Advance(absl::Hours(24 * 30));
  RunCycle();
  clock_.Advance(absl::Hours(24 * 30));
  EXPECT_TRUE(RunCycle().is_deep);
  EXPECT_TRUE(found_.empty());
}

TEST_F(ScrubberTest, DamageIsQuarantinedAndARepushHeals) {
  const std::string content = MakeContent(2'500'000, 1);
  const Digest digest = Upload("a", content);
  Damage(2'400'000);
  EXPECT_EQ(RunCycle().damaged, 1);
  EXPECT_EQ(found_, std::vector<Digest>{digest});
  EXPECT_FALSE(Has("a", digest));
  EXPECT_EQ(Statistics().quarantined_blobs, 1);
  clock_.Advance(absl::Hours(24 * 30));
  EXPECT_EQ(RunCycle().damaged, 0);
  Upload("a", content);
  EXPECT_TRUE(Read("a", digest) == content);
  EXPECT_EQ(Statistics().quarantined_blobs, 0);
}

TEST_F(ScrubberTest, AMissingOrCutExtentIsDamage) {
  const Digest digest = Upload("a", MakeContent(100'000, 1));
  std::filesystem::resize_file(Extents()[0], 50'000);
  EXPECT_EQ(RunCycle().damaged, 1);
  EXPECT_FALSE(Has("a", digest));
  std::filesystem::remove(Extents()[0]);
  ASSERT_OK_AND_ASSIGN(const Examination found, RecheckBlob(engine_->core(), digest, NoWait));
  EXPECT_EQ(found.verdict, Verdict::kDamaged);
  EXPECT_EQ(found.reason, "its extent is missing");
}

TEST_F(ScrubberTest, ARepairedDiskIsBelievedAfterARecheck) {
  const std::string content = MakeContent(100'000, 1);
  const Digest digest = Upload("a", content);
  Damage(5);
  ASSERT_OK_AND_ASSIGN(Examination found, RecheckBlob(engine_->core(), digest, NoWait));
  EXPECT_EQ(found.verdict, Verdict::kDamaged);
  EXPECT_FALSE(Has("a", digest));
  Damage(5);
  ASSERT_OK_AND_ASSIGN(found, RecheckBlob(engine_->core(), digest, NoWait));
  EXPECT_EQ(found.verdict, Verdict::kSound);
  EXPECT_TRUE(Read("a", digest) == content);
  EXPECT_EQ(Statistics().quarantined_blobs, 0);
  EXPECT_THAT(RecheckBlob(engine_->core(), Digest::Of("x"), NoWait), StatusIs(absl::StatusCode::kNotFound, "no blob"));
}

TEST_F(ScrubberTest, GoesOnWhereItWasAfterARestart) {
  for (uint32_t i = 0; i < 300; ++i) Upload("a", MakeContent(100 + i, i));
  {
    Scrubber scrubber(engine_->core(), Fast());
    ASSERT_OK_AND_ASSIGN(const bool has_more, scrubber.Step());
    EXPECT_TRUE(has_more);
  }
  Reopen();
  {
    Scrubber scrubber(engine_->core(), Fast());
    ASSERT_OK_AND_ASSIGN(const ScrubProgress progress, scrubber.Progress());
    EXPECT_EQ(progress.cycle, 1);
    EXPECT_EQ(progress.blobs, 64);
  }
  const ScrubProgress progress = RunCycle();
  EXPECT_EQ(progress.cycle, 1);
  EXPECT_EQ(progress.blobs, 300);
}

TEST_F(ScrubberTest, DeletionUnderItIsNoDamage) {
  for (uint32_t i = 0; i < 20; ++i) Upload("a", MakeContent(40'000 + i, i));
  int seen = 0;
  options_.commit_point_for_test = [&](absl::string_view name) {
    if (name != "scrub.blob_read" || ++seen != 5) return;
    for (uint32_t i = 0; i < 20; ++i) {
      const Digest digest = Digest::Of(MakeContent(40'000 + i, i));
      if (Has("a", digest)) ASSERT_OK(engine_->UnlinkBlob(context_, "a", digest));
    }
    ASSERT_OK(engine_->CollectGarbage(context_));
  };
  Reopen();
  const ScrubProgress progress = RunCycle();
  EXPECT_EQ(progress.damaged, 0);
  EXPECT_TRUE(Extents().empty());
  EXPECT_TRUE(found_.empty());
}

TEST_F(ScrubberTest, KeepsToItsRateAndStopsAtOnce) {
  Upload("a", MakeContent(64 << 20, 1));
  Scrubber scrubber(engine_->core(), {.bytes_per_second = 1 << 20});
  scrubber.Start();
  while (scrubber.bytes_read() == 0) std::this_thread::yield();
  scrubber.Stop();
  EXPECT_LT(scrubber.bytes_read(), 32 << 20);
  ASSERT_OK_AND_ASSIGN(const ScrubProgress progress, scrubber.Progress());
  EXPECT_EQ(progress.cycle, 1);
  EXPECT_EQ(progress.blobs, 0);
}

}  // namespace
}  // namespace strata::store
