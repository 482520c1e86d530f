// A disk that fills up fails the request alone: what is stored stays readable, and work goes on once there is space. Needs root.
#include <sys/mount.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <thread>

#include "absl/time/clock.h"
#include "services/store/engine/engine_testing.h"

namespace strata::store {
namespace {

using testing::StatusIs;

class FullDiskTest : public EngineTest {
 protected:
  void SetUp() override {
    disk_ = scratch_.Join("disk");
    std::filesystem::create_directory(disk_);
    if (::mount("tmpfs", disk_.c_str(), "tmpfs", 0, "size=48m") != 0) GTEST_SKIP() << "mounting a tmpfs needs root";
    is_mounted_ = true;
    options_.data_dir = disk_ + "/data";
  }
  void TearDown() override {
    engine_.reset();
    if (is_mounted_) ::umount2(disk_.c_str(), MNT_DETACH);
  }

  std::string filler() const { return disk_ + "/filler"; }
  // Another program that takes every byte.
  void Fill() {
    std::ofstream file(filler(), std::ios::binary);
    const std::string block(1 << 16, 'x');
    while (file.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) continue;
    file.clear();
    while (file.write("x", 1).flush()) continue;
  }

  std::string disk_;
  bool is_mounted_ = false;
};

TEST_F(FullDiskTest, UploadsStopAtTheReserve) {
  options_.reserved_bytes = 16 << 20;
  Reopen();
  const std::string kept = MakeContent(4 << 20, 1);
  const Digest digest = Upload("a", kept);
  const std::string large = MakeContent(60 << 20, 2);
  StringSource source(large);
  EXPECT_THAT(blobstore::UploadBlob(*engine_, context_, "a", source, Digest::Of(large)),
              StatusIs(absl::StatusCode::kResourceExhausted, "full"));
  EXPECT_TRUE(Read("a", digest) == kept);
  // The failed one gave its space back.
  Upload("a", MakeContent(8 << 20, 3));
  EXPECT_EQ(Statistics().open_uploads, 0);
}

TEST_F(FullDiskTest, DeletesWorkAndUploadsGoOnAfterwards) {
  options_.reserved_bytes = 16 << 20;
  Reopen();
  const Digest large = Upload("a", MakeContent(12 << 20, 1));
  const std::string more = MakeContent(16 << 20, 2);
  StringSource refused(more);
  EXPECT_THAT(blobstore::UploadBlob(*engine_, context_, "a", refused, Digest::Of(more)), StatusIs(absl::StatusCode::kResourceExhausted, "full"));
  ASSERT_OK(engine_->UnlinkBlob(context_, "a", large));
  ASSERT_OK_AND_ASSIGN(const auto report, engine_->CollectGarbage(context_));
  EXPECT_GE(report.bytes_reclaimed, 12 << 20);
  EXPECT_TRUE(Read("a", Upload("a", more)) == more);
}

TEST_F(FullDiskTest, ComesAndGoesWhileMetadataIsFlushedAndNothingAcknowledgedIsLost) {
  options_.reserved_bytes = 0;
  Reopen();
  // A few keys over and over, so that there is something to flush and to compact all the time.
  // What each may hold: the value acknowledged last, or one that was refused since (it may have reached the log all the same).
  std::map<std::string, std::vector<uint32_t>> acknowledged;
  uint32_t seed = 0;
  const auto put = [&] {
    const std::string key = absl::StrCat("key", seed % 8);
    const absl::Status status = engine_->PutRecord(context_, key, MakeContent(300'000, ++seed), {});
    if (status.ok()) {
      acknowledged[key] = {seed};
    } else if (acknowledged.contains(key)) {
      acknowledged[key].push_back(seed);
    }
    return status;
  };
  const auto expect_all = [&] {
    for (const auto& [key, seeds] : acknowledged) {
      const auto value = engine_->GetRecord(context_, key);
      ASSERT_OK(value);
      EXPECT_TRUE(std::any_of(seeds.begin(), seeds.end(), [&](uint32_t one) { return *value == MakeContent(300'000, one); })) << key;
    }
  };
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 20; ++i) ASSERT_OK(put());
    expect_all();
    std::thread other_program([&] { Fill(); });
    absl::Status status;
    for (int i = 0; i < 300 && status.ok(); ++i) status = put();
    other_program.join();
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted, "full"));
    expect_all();
    std::filesystem::remove(filler());
    const absl::Time deadline = absl::Now() + absl::Seconds(40);
    while (absl::IsResourceExhausted(status) && absl::Now() < deadline) {
      absl::SleepFor(absl::Milliseconds(100));
      status = put();
    }
    ASSERT_OK(status);
  }
  expect_all();
  Reopen();
  ASSERT_NE(engine_, nullptr);
  expect_all();
  PushImage("a", "t", 1);
}

TEST_F(FullDiskTest, MetadataMeetsAFullDiskAndRecovers) {
  options_.reserved_bytes = 0;
  Reopen();
  const Digest digest = PushImage("a", "t", 1);
  Fill();
  EXPECT_THAT(engine_->PutRecord(context_, "key", "value", {}), StatusIs(absl::StatusCode::kResourceExhausted, "full"));
  // Small changes go on for as long as they fit into what the log has allocated.
  absl::Status status;
  for (int i = 0; status.ok() && i < 500000; ++i) status = engine_->SetTag(context_, "a", "t", digest, std::nullopt);
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted, "full"));
  EXPECT_OK(engine_->GetManifest(context_, "a", {"t", std::nullopt}, false));
  EXPECT_THAT(engine_->StartUpload(context_, "a", DigestAlgorithm::kSha256),
              StatusIs(absl::StatusCode::kResourceExhausted, "full"));
  std::filesystem::remove(filler());
  const absl::Time deadline = absl::Now() + absl::Seconds(40);
  do {
    absl::SleepFor(absl::Milliseconds(100));
    status = engine_->PutRecord(context_, "key", "value", {});
  } while (absl::IsResourceExhausted(status) && absl::Now() < deadline);
  EXPECT_OK(status);
  PushImage("a", "u", 2);
  Reopen();
  ASSERT_NE(engine_, nullptr);
  EXPECT_OK(engine_->GetManifest(context_, "a", {"", digest}, false));
  EXPECT_OK(engine_->GetManifest(context_, "a", {"u", std::nullopt}, false));
}

}  // namespace
}  // namespace strata::store
