// Copies made while others write, and stores made of them.
#include "services/store/backup/backup.h"

#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <thread>

#include "services/store/backup/restore.h"
#include "services/store/engine/engine_testing.h"

namespace strata::store {
namespace {

using testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Silent final : public VerifyObserver {
 public:
  absl::Status OnProgress(const VerifyProgress&) override { return absl::OkStatus(); }
  absl::Status OnFinding(const Finding& finding) override {
    text += absl::StrCat(finding.what, ": ", finding.subject, "\n");
    return absl::OkStatus();
  }
  std::string text;
};

absl::Status Ignore(const BackupProgress&) { return absl::OkStatus(); }

class BackupTest : public EngineTest {
 protected:
  BackupTest() { Reset(); }

  void Reset() { backups_ = std::make_unique<Backups>(engine_->core(), folder_); }

  absl::StatusOr<BackupSummary> Backup(absl::string_view name = "nightly", int keep = 1) {
    return backups_->Make(context_, name, keep, Ignore);
  }

  std::vector<std::string> Names(const std::string& path) {
    std::vector<std::string> names;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(path, error)) names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }

  // An engine on what `from` restores to.
  std::unique_ptr<StoreEngine> Restored(const std::string& from, const std::string& to) {
    const auto summary = Restore(context_, from, scratch_.Join(to), false, silent_);
    EXPECT_OK(summary);
    EngineOptions options;
    options.data_dir = scratch_.Join(to);
    options.reserved_bytes = 0;
    auto opened = StoreEngine::Open(options, clock_);
    EXPECT_OK(opened);
    return opened.ok() ? *std::move(opened) : nullptr;
  }

  // The config and the layers of the manifest behind a tag can be read in full.
  void ExpectFetches(StoreEngine& engine, const std::string& repository, const std::string& tag, uint32_t seed) {
    const auto manifest = engine.GetManifest(context_, repository, {tag, std::nullopt}, false);
    ASSERT_OK(manifest);
    for (const size_t size : {100, 100000}) {
      const std::string content = MakeContent(size, seed);
      ASSERT_THAT(manifest->content, HasSubstr(Digest::Of(content).ToString()));
      auto reader = engine.OpenBlob(context_, repository, Digest::Of(content), 0, std::nullopt);
      ASSERT_OK(reader);
      EXPECT_TRUE(ReadWhole(**reader) == content);
    }
  }

  std::string folder_ = scratch_.Join("backups");
  Silent silent_;
  std::unique_ptr<Backups> backups_;
};

TEST_F(BackupTest, ARestoredStoreHoldsEverythingButUploads) {
  PushImage("a", "t", 1);
  ASSERT_OK_AND_ASSIGN(const std::string upload, engine_->StartUpload(context_, "a", DigestAlgorithm::kSha256));
  {
    ASSERT_OK_AND_ASSIGN(const auto writer, engine_->OpenUpload(context_, "a", upload, 0));
    ASSERT_OK(writer->Write(MakeContent(300'000, 5)));
    ASSERT_OK(writer->Flush());
  }
  ASSERT_OK_AND_ASSIGN(const BackupSummary summary, Backup());
  EXPECT_EQ(summary.extents, 1);
  EXPECT_EQ(summary.extents_linked, 1);
  EXPECT_EQ(summary.bytes_copied, 0);
  EXPECT_EQ(summary.path, absl::StrCat(folder_, "/nightly/", Names(folder_ + "/nightly")[0]));
  EXPECT_TRUE(backups_->last().has_value());
  PushImage("a", "later", 2);

  const auto restored = Restored(folder_ + "/nightly", "restored");
  ASSERT_NE(restored, nullptr);
  ExpectFetches(*restored, "a", "t", 1);
  EXPECT_THAT(restored->GetManifest(context_, "a", {"later", std::nullopt}, false), StatusIs(absl::StatusCode::kNotFound, ""));
  EXPECT_THAT(restored->GetUpload(context_, "a", upload), StatusIs(absl::StatusCode::kNotFound, ""));
  Silent silent;
  ASSERT_OK(VerifyStore(context_, restored->core(), true, silent));
  EXPECT_EQ(silent.text, "");
  // Its own life: nothing is shared with the backup.
  EXPECT_OK(restored->CollectGarbage(context_));
}

TEST_F(BackupTest, ABackupUnderLoadIsOneMoment) {
  std::atomic<bool> done{false};
  std::atomic<uint32_t> pushed{0};
  std::thread writer([&] {
    for (uint32_t seed = 1; !done; ++seed) {
      PushImage("load", absl::StrCat("t", seed), seed);
      pushed = seed;
      if (seed % 3 != 0) continue;
      // Content goes while it is being copied.
      const auto gone = engine_->GetManifest(context_, "load", {absl::StrCat("t", seed), std::nullopt}, true);
      ASSERT_OK(gone);
      ASSERT_OK(engine_->DeleteManifest(context_, "load", gone->digest));
      ASSERT_OK(engine_->CollectGarbage(context_));
    }
  });
  for (int i = 0; i < 4; ++i) {
    const uint32_t before = pushed;
    while (pushed < before + 5) std::this_thread::yield();
    ASSERT_OK(Backup("load", 2));
    const auto restored = Restored(folder_ + "/load", absl::StrCat("restored", i));
    ASSERT_NE(restored, nullptr);
    ASSERT_OK_AND_ASSIGN(const auto tags, restored->ListTags(context_, "load", "", 1000));
    EXPECT_GE(tags.items.size(), before / 2);
    for (const auto& tag : tags.items) ExpectFetches(*restored, "load", tag.name, static_cast<uint32_t>(std::stoul(tag.name.substr(1))));
  }
  done = true;
  writer.join();
  EXPECT_EQ(Names(folder_ + "/load").size(), 2u);
  // What was held back for the backups is gone.
  Silent silent;
  ASSERT_OK(VerifyStore(context_, engine_->core(), true, silent));
  EXPECT_EQ(silent.text, "");
}

TEST_F(BackupTest, RemovalsWaitForTheBackup) {
  const Digest digest = Upload("a", MakeContent(100'000, 1));
  options_.commit_point_for_test = [&](absl::string_view name) {
    if (name != "backup.checkpointed") return;
    ASSERT_OK(engine_->UnlinkBlob(context_, "a", digest));
    ASSERT_OK(engine_->CollectGarbage(context_));
    EXPECT_FALSE(Has("", digest));
    EXPECT_EQ(Extents().size(), 1u);
  };
  Reopen();
  Reset();
  ASSERT_OK(Backup());
  EXPECT_EQ(Extents().size(), 0u);
  const auto restored = Restored(folder_ + "/nightly", "restored");
  ASSERT_NE(restored, nullptr);
  EXPECT_OK(restored->OpenBlob(context_, "a", digest, 0, std::nullopt));
}

TEST_F(BackupTest, OldOnesGoAsAsked) {
  for (int i = 0; i < 4; ++i) ASSERT_OK(Backup("n", 3));
  EXPECT_EQ(Names(folder_ + "/n").size(), 3u);
  ASSERT_OK_AND_ASSIGN(const BackupSummary summary, Backup("n", 1));
  EXPECT_EQ(summary.removed_backups, 3);
  EXPECT_EQ(absl::StrCat(folder_, "/n/", Names(folder_ + "/n")[0]), summary.path);
}

TEST_F(BackupTest, NamesStayInTheFolder) {
  for (const char* name : {"", ".", "..", "../x", "a/b", "/etc", "/tmp/x", ".hidden", "a b", "a\n", "x/../../y"}) {
    EXPECT_THAT(Backup(name), StatusIs(absl::StatusCode::kInvalidArgument, "a backup cannot be called")) << name;
  }
  EXPECT_THAT(Backup(folder_ + "/../x"), StatusIs(absl::StatusCode::kInvalidArgument, ""));
  EXPECT_THAT(Backup(folder_ + "x"), StatusIs(absl::StatusCode::kInvalidArgument, ""));
  EXPECT_THAT(Backup(std::string(65, 'x')), StatusIs(absl::StatusCode::kInvalidArgument, ""));
  EXPECT_THAT(Backup("x", 0), StatusIs(absl::StatusCode::kInvalidArgument, "keeping 0"));
  EXPECT_OK(Backup(folder_ + "/whole-path/"));
  EXPECT_THAT(Names(folder_), ElementsAre("whole-path"));
  Backups none(engine_->core(), "");
  EXPECT_THAT(none.Make(context_, "x", 1, Ignore), StatusIs(absl::StatusCode::kFailedPrecondition, "--backup-dir"));
}

TEST_F(BackupTest, AFailedBackupLeavesTheOldOneAndNothingElse) {
  PushImage("a", "t", 1);
  ASSERT_OK(Backup());
  const std::vector<std::string> before = Names(folder_ + "/nightly");
  Upload("a", MakeContent(100'000, 7));
  // An extent that is missing, and a client that goes away.
  const std::string extent = Extents()[0];
  std::filesystem::rename(extent, scratch_.Join("away"));
  EXPECT_THAT(Backup(), StatusIs(absl::StatusCode::kDataLoss, "is missing"));
  std::filesystem::rename(scratch_.Join("away"), extent);
  EXPECT_THAT(backups_->Make(context_, "nightly", 1, [](const BackupProgress&) { return absl::CancelledError("gone"); }),
              StatusIs(absl::StatusCode::kCancelled, "gone"));
  EXPECT_EQ(Names(folder_ + "/nightly"), before);
  EXPECT_OK(Backup());
}

TEST_F(BackupTest, OneAtATime) {
  const auto again = [&](const BackupProgress&) -> absl::Status {
    EXPECT_THAT(Backup(), StatusIs(absl::StatusCode::kAborted, "another backup"));
    return absl::OkStatus();
  };
  EXPECT_OK(backups_->Make(context_, "x", 1, again));
}

TEST_F(BackupTest, RestoreRefusesWhatIsThereAndWhatIsDamaged) {
  PushImage("a", "t", 1);
  ASSERT_OK_AND_ASSIGN(const BackupSummary summary, Backup());
  EXPECT_THAT(Restore(context_, folder_ + "/nightly", options_.data_dir, false, silent_),
              StatusIs(absl::StatusCode::kFailedPrecondition, "is not empty"));
  EXPECT_THAT(Restore(context_, folder_, scratch_.Join("r"), false, silent_), StatusIs(absl::StatusCode::kNotFound, "no complete backup"));
  // Linked files: damage in one place is damage in both, so a copy is damaged here.
  std::string extent;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(summary.path + "/extents")) {
    if (entry.is_regular_file()) extent = entry.path().string();
  }
  std::string content = testing::ReadFile(extent);
  content[1000] ^= 1;
  std::filesystem::remove(extent);
  testing::WriteFile(extent, content);
  EXPECT_THAT(Restore(context_, summary.path, scratch_.Join("r"), false, silent_), StatusIs(absl::StatusCode::kDataLoss, "--accept-damage"));
  EXPECT_THAT(silent_.text, HasSubstr("blob damaged: sha256:"));
  // The failed one never passes for a store.
  EngineOptions options;
  options.data_dir = scratch_.Join("r");
  EXPECT_THAT(StoreEngine::Open(options, clock_), StatusIs(absl::StatusCode::kFailedPrecondition, "not completed"));
  EXPECT_OK(Restore(context_, summary.path, scratch_.Join("r"), true, silent_));
  EXPECT_OK(StoreEngine::Open(options, clock_));
  EXPECT_OK(Backup());
}

// On another file system: copies, taken from the last backup when the extent is the same.
class OtherDiskTest : public BackupTest {
 protected:
  void SetUp() override {
    folder_ = scratch_.Join("disk");
    std::filesystem::create_directory(folder_);
    if (::mount("tmpfs", folder_.c_str(), "tmpfs", 0, "size=24m") != 0) GTEST_SKIP() << "mounting a tmpfs needs root";
    is_mounted_ = true;
    Reset();
  }
  void TearDown() override {
    if (is_mounted_) ::umount2(folder_.c_str(), MNT_DETACH);
  }
  bool is_mounted_ = false;
};

TEST_F(OtherDiskTest, CopiesOnceAndLinksAfterwards) {
  PushImage("a", "t", 1);
  ASSERT_OK_AND_ASSIGN(BackupSummary summary, Backup("n", 2));
  EXPECT_EQ(summary.bytes_copied, 100'000);
  PushImage("a", "u", 2);
  ASSERT_OK_AND_ASSIGN(summary, Backup("n", 2));
  EXPECT_EQ(summary.extents, 2);
  EXPECT_EQ(summary.extents_linked, 1);
  EXPECT_EQ(summary.bytes_copied, 100'000);
  const auto restored = Restored(folder_ + "/n", "restored");
  ASSERT_NE(restored, nullptr);
  ExpectFetches(*restored, "a", "t", 1);
  ExpectFetches(*restored, "a", "u", 2);
}

TEST_F(OtherDiskTest, AFullDiskLeavesTheOldBackup) {
  PushImage("a", "t", 1);
  ASSERT_OK(Backup());
  Upload("a", MakeContent(30 << 20, 3));
  EXPECT_THAT(Backup(), StatusIs(absl::StatusCode::kResourceExhausted, "older backups are as they were"));
  const auto restored = Restored(folder_ + "/nightly", "restored");
  ASSERT_NE(restored, nullptr);
  ExpectFetches(*restored, "a", "t", 1);
  // The space is back.
  ASSERT_OK(engine_->UnlinkBlob(context_, "a", Digest::Of(MakeContent(30 << 20, 3))));
  ASSERT_OK(engine_->CollectGarbage(context_));
  EXPECT_OK(Backup());
}

}  // namespace
}  // namespace strata::store
