// What is collected, what is not, and when; through the whole engine.
#include <atomic>
#include <thread>

#include "lib/base/status.h"
#include "services/store/engine/engine_testing.h"
#include "services/store/engine/keyspace.h"
#include "services/store/engine/rocks_key_value.h"
#include "services/store/engine/rows.h"

namespace strata::store {
namespace {

using testing::StatusIs;

class CollectorTest : public EngineTest {
 protected:
  blobstore::GarbageReport Due() {
    const auto report = engine_->CollectDue();
    EXPECT_OK(report);
    return report.ok() ? *report : blobstore::GarbageReport();
  }
  blobstore::GarbageReport Now() {
    const auto report = engine_->CollectGarbage(context_);
    EXPECT_OK(report);
    return report.ok() ? *report : blobstore::GarbageReport();
  }
};

TEST_F(CollectorTest, AnUnlinkedBlobGoesAfterTheGracePeriod) {
  const Digest digest = Upload("a", MakeContent(1 << 20, 1));
  ASSERT_OK(engine_->UnlinkBlob(context_, "a", digest));
  clock_.Advance(absl::Hours(23));
  EXPECT_EQ(Due().blobs_removed, 0);
  EXPECT_TRUE(Has("", digest));
  clock_.Advance(absl::Hours(2));
  const auto report = Due();
  EXPECT_EQ(report.blobs_removed, 1);
  EXPECT_GE(report.bytes_reclaimed, 1 << 20);
  EXPECT_FALSE(Has("", digest));
  EXPECT_TRUE(Extents().empty());
  EXPECT_EQ(Statistics().blobs, 0);
  EXPECT_EQ(Statistics().blob_bytes, 0);
  EXPECT_EQ(Statistics().repositories, 0);
}

TEST_F(CollectorTest, NowDoesNotWaitForTheGracePeriod) {
  const Digest digest = Upload("a", MakeContent(100, 1));
  ASSERT_OK(engine_->UnlinkBlob(context_, "a", digest));
  EXPECT_EQ(Now().blobs_removed, 1);
  EXPECT_FALSE(Has("", digest));
}

// What entered the queue under another grace period is not forgotten. Found by tests/crash.
TEST_F(CollectorTest, TheGracePeriodMayBecomeShorter) {
  Upload("a", MakeContent(100000, 1));
  ASSERT_OK(engine_->UnlinkBlob(context_, "b", Upload("b", MakeContent(100000, 2))));
  options_.grace = absl::Minutes(1);
  Reopen();
  clock_.Advance(absl::Minutes(2));
  EXPECT_EQ(Now().blobs_removed, 2);
  EXPECT_TRUE(Extents().empty());
}

TEST_F(CollectorTest, TheGracePeriodMayBecomeLonger) {
  options_.grace = absl::Minutes(1);
  Reopen();
  const Digest digest = Upload("a", MakeContent(100000, 1));
  options_.grace = absl::Hours(24);
  Reopen();
  clock_.Advance(absl::Minutes(2));
  EXPECT_EQ(Due().blobs_removed, 0);
  EXPECT_TRUE(Has("a", digest));
  clock_.Advance(absl::Hours(24));
  EXPECT_EQ(Due().blobs_removed, 1);
  EXPECT_TRUE(Extents().empty());
}

TEST_F(CollectorTest, APushWithoutItsManifestIsLeased) {
  const Digest digest = Upload("a", MakeContent(100000, 1));
  EXPECT_EQ(Now().blobs_removed, 0);
  clock_.Advance(absl::Hours(23));
  Upload("a", MakeContent(100000, 1));
  clock_.Advance(absl::Hours(23));
  EXPECT_EQ(Due().blobs_removed, 0);
  EXPECT_TRUE(Has("", digest));
  clock_.Advance(absl::Hours(2));
  EXPECT_EQ(Due().blobs_removed, 1);
  EXPECT_FALSE(Has("a", digest));
}

TEST_F(CollectorTest, ManifestsKeepTheirBlobs) {
  const Digest digest = PushImage("a", "t", 1);
  clock_.Advance(absl::Hours(1000));
  EXPECT_EQ(Due().blobs_removed, 0);
  ASSERT_OK(engine_->DeleteManifest(context_, "a", digest));
  EXPECT_EQ(Due().blobs_removed, 0);
  EXPECT_EQ(Now().blobs_removed, 2);
  EXPECT_EQ(Statistics().repositories, 0);
  EXPECT_THAT(engine_->ListTags(context_, "a", "", 0), StatusIs(absl::StatusCode::kNotFound, "unknown"));
}

TEST_F(CollectorTest, ASharedLayerStaysForTheOtherManifest) {
  const Digest layer = Upload("a", MakeContent(100000, 1));
  const Digest config_one = Upload("a", "one");
  const Digest config_two = Upload("a", "two");
  ASSERT_OK_AND_ASSIGN(const auto one, engine_->PutManifest(context_, "a", kImageType, ImageJson(config_one, {layer}), {}));
  ASSERT_OK(engine_->PutManifest(context_, "a", kImageType, ImageJson(config_two, {layer}), {}));
  ASSERT_OK(engine_->DeleteManifest(context_, "a", one.digest));
  EXPECT_EQ(Now().blobs_removed, 1);
  EXPECT_TRUE(Has("a", layer));
  EXPECT_FALSE(Has("a", config_one));
}

TEST_F(CollectorTest, ARepushInTheGracePeriodKeepsEverything) {
  const Digest digest = PushImage("a", "t", 1);
  ASSERT_OK(engine_->DeleteManifest(context_, "a", digest));
  clock_.Advance(absl::Hours(12));
  const Digest config = Digest::Of(MakeContent(100, 1));
  const Digest layer = Digest::Of(MakeContent(100000, 1));
  ASSERT_TRUE(Has("a", config));
  ASSERT_OK(engine_->PutManifest(context_, "a", kImageType, ImageJson(config, {layer}), {}));
  clock_.Advance(absl::Hours(100));
  EXPECT_EQ(Due().blobs_removed, 0);
  EXPECT_TRUE(Has("a", layer));
}

TEST_F(CollectorTest, CacheRecordsKeepTheirBlobsAndTheBuildersLink) {
  const Digest layer = Upload(blobstore::kBuildRepository, MakeContent(100000, 1));
  ASSERT_OK(engine_->PutRecord(context_, "key", "value", {layer, layer}));
  clock_.Advance(absl::Hours(100));
  EXPECT_EQ(Due().blobs_removed, 0);
  EXPECT_EQ(Read(blobstore::kBuildRepository, layer).size(), 100000u);
  ASSERT_OK(engine_->PutRecord(context_, "key", "other", {}));
  EXPECT_EQ(Due().blobs_removed, 0);
  EXPECT_EQ(Now().blobs_removed, 1);
}

TEST_F(CollectorTest, CacheRecordsGoByLastUse) {
  const Digest layer = Upload(blobstore::kBuildRepository, MakeContent(100, 1));
  ASSERT_OK(engine_->PutRecord(context_, "old", "1", {layer}));
  ASSERT_OK(engine_->PutRecord(context_, "used", "2", {layer}));
  clock_.Advance(absl::Hours(10));
  ASSERT_OK_AND_ASSIGN(const std::string value, engine_->GetRecord(context_, "used"));
  EXPECT_EQ(value, "2");
  Reopen();
  ASSERT_OK_AND_ASSIGN(const blobstore::PruneReport removed, engine_->PruneRecords(context_, clock_.Now() - absl::Hours(1)));
  EXPECT_EQ(removed.records, 1);
  EXPECT_THAT(engine_->GetRecord(context_, "old"), StatusIs(absl::StatusCode::kNotFound, "old"));
  EXPECT_OK(engine_->GetRecord(context_, "used"));
  EXPECT_EQ(Statistics().cache_records, 1);
}

TEST_F(CollectorTest, RecordsBeyondTheirBudgetGoThoseUnusedForLongestFirst) {
  options_.cache_budget_bytes = 250'000;
  Reopen();
  const Digest shared = Upload(blobstore::kBuildRepository, MakeContent(100'000, 1));
  for (const int i : {1, 2, 3}) {
    clock_.Advance(absl::Minutes(2));
    const Digest own = Upload(blobstore::kBuildRepository, MakeContent(50'000, 10 + i));
    ASSERT_OK(engine_->PutRecord(context_, absl::StrCat("record-", i), "v", {shared, own}));
  }
  ASSERT_OK(engine_->CollectDue());
  EXPECT_EQ(Statistics().cache_records, 2);  // 100,000 + 3 × 50,000 and the values are too much
  EXPECT_EQ(Statistics().cache_bytes, 200'002);
  EXPECT_THAT(engine_->GetRecord(context_, "record-1"), StatusIs(absl::StatusCode::kNotFound, ""));
  clock_.Advance(absl::Minutes(2));
  ASSERT_OK(engine_->GetRecord(context_, "record-2"));
  clock_.Advance(absl::Minutes(2));
  ASSERT_OK(engine_->PutRecord(context_, "record-4", std::string(60'000, 'v'), {}));
  ASSERT_OK(engine_->CollectDue());
  EXPECT_THAT(engine_->GetRecord(context_, "record-3"), StatusIs(absl::StatusCode::kNotFound, ""));
  EXPECT_OK(engine_->GetRecord(context_, "record-2"));
  EXPECT_EQ(Statistics().cache_bytes, 210'001);

  options_.cache_budget_bytes = 0;
  options_.cache_budget_records = 1;
  Reopen();
  ASSERT_OK(engine_->CollectDue());
  EXPECT_EQ(Statistics().cache_records, 1);
}

TEST_F(CollectorTest, CacheRecordsAreBoundedAndNeedRealBlobs) {
  EXPECT_THAT(engine_->PutRecord(context_, std::string(257, 'k'), "", {}), StatusIs(absl::StatusCode::kInvalidArgument, "257"));
  EXPECT_THAT(engine_->PutRecord(context_, "k", std::string((1 << 20) + 1, 'v'), {}),
              StatusIs(absl::StatusCode::kInvalidArgument, "1048577"));
  EXPECT_THAT(engine_->PutRecord(context_, "k", "v", {Digest::Of("x")}), StatusIs(absl::StatusCode::kFailedPrecondition, ""));
  EXPECT_THAT(engine_->GetRecord(context_, "k"), StatusIs(absl::StatusCode::kNotFound, ""));
}

TEST_F(CollectorTest, ARecordWhoseBlobIsDamagedIsDropped) {
  const Digest layer = Upload(blobstore::kBuildRepository, MakeContent(100000, 1));
  ASSERT_OK(engine_->PutRecord(context_, "key", "value", {layer}));
  testing::WriteFile(Extents()[0], MakeContent(100000, 2));
  auto reader = engine_->OpenBlob(context_, "", layer, 0, std::nullopt);
  ASSERT_OK(reader);
  EXPECT_THAT(ReadAll(**reader, 1 << 20), StatusIs(absl::StatusCode::kDataLoss, ""));
  EXPECT_THAT(engine_->GetRecord(context_, "key"), StatusIs(absl::StatusCode::kNotFound, "key"));
  EXPECT_EQ(Statistics().cache_records, 0);
}

TEST_F(CollectorTest, AnOpenReaderOutlivesTheBlob) {
  const std::string content = MakeContent(3000000, 1);
  const Digest digest = Upload("a", content);
  auto reader = engine_->OpenBlob(context_, "a", digest, 0, std::nullopt);
  ASSERT_OK(reader);
  ASSERT_OK(engine_->UnlinkBlob(context_, "a", digest));
  EXPECT_EQ(Now().blobs_removed, 1);
  EXPECT_TRUE(Extents().empty());
  EXPECT_TRUE(ReadWhole(**reader) == content);
}

TEST_F(CollectorTest, ACancelledCollectionStops) {
  const Digest digest = Upload("a", MakeContent(100, 1));
  ASSERT_OK(engine_->UnlinkBlob(context_, "a", digest));
  Cancellation cancellation;
  CallContext cancelled;
  cancelled.cancellation = &cancellation;
  cancellation.Cancel();
  EXPECT_THAT(engine_->CollectGarbage(cancelled), StatusIs(absl::StatusCode::kCancelled, ""));
  EXPECT_THAT(engine_->CollectGarbage(cancelled, {.dry_run = true}), StatusIs(absl::StatusCode::kCancelled, ""));
  EXPECT_EQ(Now().blobs_removed, 1);
}

TEST_F(CollectorTest, ReportsWhatTheDiskGotBack) {
  const Digest digest = Upload("a", MakeContent(300000, 1));
  ASSERT_OK(engine_->UnlinkBlob(context_, "a", digest));
  const int64_t before = Statistics().disk_free_bytes;
  const auto report = Now();
  EXPECT_GE(report.bytes_reclaimed, 300000);
  EXPECT_LT(report.bytes_reclaimed, 400000);
  EXPECT_TRUE(Extents().empty());
  EXPECT_GT(before, 0);
}

TEST_F(CollectorTest, ManyExtentsGoInBatches) {
  for (uint32_t i = 0; i < 150; ++i) ASSERT_OK(engine_->UnlinkBlob(context_, "a", Upload("a", MakeContent(40000, i))));
  EXPECT_EQ(Now().blobs_removed, 150);
  EXPECT_TRUE(Extents().empty());
  Reopen();
  EXPECT_EQ(Statistics().blobs, 0);
}

// The size of the store is not in the price of a run: a million blobs that live, ten that are due.
TEST_F(CollectorTest, LooksOnlyAtWhatIsDue) {
  constexpr int kLive = 1'000'000;
  constexpr int kAtOnce = 5'000;
  engine_.reset();
  {
    ASSERT_OK_AND_ASSIGN(const auto kv, OpenRocksKeyValue(scratch_.Join("data/meta")));
    for (int from = 0; from < kLive; from += kAtOnce) {
      ASSERT_OK(InTransaction(*kv, Durability::kBuffered, [&](Transaction& transaction) -> absl::Status {
        for (int i = from; i < from + kAtOnce; ++i) {
          const Digest digest = Digest::Of(absl::StrCat(i));
          BlobRow row;
          row.id = (uint64_t{1} << 40) + static_cast<uint64_t>(i);
          STRATA_RETURN_IF_ERROR(transaction.Put(Table::kFacts, keys::Blob(digest), row.Encode()));
          STRATA_RETURN_IF_ERROR(transaction.Put(Table::kFacts, keys::Link("a", digest), LinkRow().Encode()));
          STRATA_RETURN_IF_ERROR(transaction.Put(Table::kFacts, keys::LinkOfBlob(digest, "a"), ""));
        }
        return absl::OkStatus();
      }));
    }
  }
  Reopen();
  for (uint32_t i = 0; i < 10; ++i) ASSERT_OK(engine_->UnlinkBlob(context_, "b", Upload("b", MakeContent(100, i))));
  clock_.Advance(absl::Hours(25));
  const auto report = Due();
  EXPECT_EQ(report.blobs_removed, 10);
  // A link and a blob each, and whether the repository is empty.
  EXPECT_LE(report.objects_examined, 40);
  EXPECT_TRUE(Has("a", Digest::Of("999999")));
}

TEST_F(CollectorTest, NeverTakesWhatIsBeingPushed) {
  // One thread pushes and unlinks the same content over and over, another collects: every push must end readable.
  std::atomic<bool> done{false};
  std::thread collecting([&] {
    while (!done) Now();
  });
  const std::string content = MakeContent(40000, 1);
  for (int i = 0; i < 50; ++i) {
    const Digest digest = Upload("a", content);
    ASSERT_TRUE(Read("a", digest) == content) << i;
    ASSERT_OK(engine_->UnlinkBlob(context_, "a", digest));
  }
  done = true;
  collecting.join();
  Now();
  EXPECT_TRUE(Extents().empty());
  EXPECT_EQ(Statistics().blobs, 0);
}

}  // namespace
}  // namespace strata::store
