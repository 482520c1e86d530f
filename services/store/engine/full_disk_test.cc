// A disk that fills up fails the request alone: what is stored stays readable, and work goes on once there is space. Needs root.
#include <sys/mount.h>

#include <fstream>

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

TEST_F(FullDiskTest, MetadataMeetsAFullDiskAndRecovers) {
  options_.reserved_bytes = 0;
  Reopen();
  const Digest digest = PushImage("a", "t", 1);
  const std::string filler = disk_ + "/filler";
  {
    std::ofstream file(filler, std::ios::binary);
    const std::string block(1 << 16, 'x');
    while (file.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) continue;
    file.clear();
    while (file.write("x", 1).flush()) continue;
  }
  EXPECT_THAT(engine_->PutRecord(context_, "key", "value", {}), StatusIs(absl::StatusCode::kResourceExhausted, "full"));
  // Small changes go on for as long as they fit into what the log has allocated.
  absl::Status status;
  for (int i = 0; status.ok() && i < 500000; ++i) status = engine_->SetTag(context_, "a", "t", digest, std::nullopt);
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted, "full"));
  EXPECT_OK(engine_->GetManifest(context_, "a", {"t", std::nullopt}, false));
  EXPECT_THAT(engine_->StartUpload(context_, "a", DigestAlgorithm::kSha256),
              StatusIs(absl::StatusCode::kResourceExhausted, "full"));
  std::filesystem::remove(filler);
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
