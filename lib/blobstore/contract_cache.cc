// Build-cache records.
#include "lib/blobstore/contract.h"

namespace strata::blobstore {

using strata::testing::StatusIs;
using enum absl::StatusCode;

TEST_P(StoreContractTest, RecordsComeBackAndAreReplaced) {
  EXPECT_THAT(cache().GetRecord(context_, "absent"), StatusIs(kNotFound, ""));
  ASSERT_OK(cache().PutRecord(context_, "k1", std::string("va\0lue\xff", 7), {}));
  ASSERT_OK_AND_ASSIGN(const std::string value, cache().GetRecord(context_, "k1"));
  EXPECT_EQ(value, std::string("va\0lue\xff", 7));
  ASSERT_OK(cache().PutRecord(context_, "k1", "", {}));
  ASSERT_OK_AND_ASSIGN(const std::string replaced, cache().GetRecord(context_, "k1"));
  EXPECT_EQ(replaced, "");
}

TEST_P(StoreContractTest, RecordsAreBounded) {
  EXPECT_OK(cache().PutRecord(context_, std::string(256, 'k'), std::string(1 << 20, 'v'), {}));
  EXPECT_THAT(cache().PutRecord(context_, std::string(257, 'k'), "v", {}), StatusIs(kInvalidArgument, "257"));
  EXPECT_THAT(cache().PutRecord(context_, "k", std::string((1 << 20) + 1, 'v'), {}), StatusIs(kInvalidArgument, "1048577"));
}

TEST_P(StoreContractTest, ARecordNeedsItsBlobs) {
  const Digest absent = Digest::Of("absent");
  EXPECT_THAT(cache().PutRecord(context_, "k", "v", {absent}), StatusIs(kFailedPrecondition, absent.ToString()));
  EXPECT_THAT(cache().GetRecord(context_, "k"), StatusIs(kNotFound, ""));
}

TEST_P(StoreContractTest, ARecordKeepsItsBlobsAlive) {
  const Digest layer = Upload(kBuildRepository, Content(100000, 40));
  ASSERT_OK(cache().PutRecord(context_, "k", "v", {layer}));
  AdvanceClock(absl::Hours(100));
  ASSERT_OK(admin().CollectGarbage(context_));
  EXPECT_OK(Read(kBuildRepository, layer));
  EXPECT_OK(cache().GetRecord(context_, "k"));
  AdvanceClock(absl::Hours(1));
  ASSERT_OK(cache().PutRecord(context_, "k", "needs nothing now", {}));
  ASSERT_OK(admin().CollectGarbage(context_));
  EXPECT_FALSE(Has("", layer));
  EXPECT_OK(cache().GetRecord(context_, "k"));
}

TEST_P(StoreContractTest, PruningTakesWhatWasNotUsed) {
  const absl::Time never = absl::InfinitePast();
  ASSERT_OK(cache().PutRecord(context_, "old", "1", {}));
  ASSERT_OK(cache().PutRecord(context_, "used", "2", {}));
  ASSERT_OK_AND_ASSIGN(const PruneReport none, cache().PruneRecords(context_, never));
  EXPECT_EQ(none.records, 0);
  const std::string id = StartUpload("app");
  AdvanceClock(absl::Hours(2));
  ASSERT_OK(cache().GetRecord(context_, "used"));
  ASSERT_OK(cache().PutRecord(context_, "new", "3", {}));
  ASSERT_OK_AND_ASSIGN(const UploadInfo before, blobs().GetUpload(context_, "app", id));  // tells the store's time
  for (const bool is_dry_run : {true, false}) {
    ASSERT_OK_AND_ASSIGN(const PruneReport removed, cache().PruneRecords(context_, before.started + absl::Hours(1), is_dry_run));
    EXPECT_EQ(removed.records, 1);
    EXPECT_EQ(removed.bytes, 1);
  }
  EXPECT_THAT(cache().GetRecord(context_, "old"), StatusIs(kNotFound, ""));
  EXPECT_OK(cache().GetRecord(context_, "used"));
  EXPECT_OK(cache().GetRecord(context_, "new"));
}

TEST_P(StoreContractTest, TheCacheIsChargedEachBlobOnce) {
  const auto charged = [&] {
    const auto statistics = admin().GetStatistics(context_);
    EXPECT_OK(statistics);
    return statistics.ok() ? statistics->cache_bytes : -1;
  };
  const Digest shared = Upload(kBuildRepository, Content(40000, 41));
  const Digest own = Upload(kBuildRepository, Content(2000, 42));
  EXPECT_EQ(charged(), 0);
  ASSERT_OK(cache().PutRecord(context_, "one", "12345", {shared, own}));
  EXPECT_EQ(charged(), 42005);
  const std::string id = StartUpload("app");
  AdvanceClock(absl::Hours(2));
  ASSERT_OK(cache().PutRecord(context_, "two", "1", {shared, shared}));
  EXPECT_EQ(charged(), 42006);
  ASSERT_OK(cache().PutRecord(context_, "two", "123", {shared}));
  EXPECT_EQ(charged(), 42008);
  ASSERT_OK_AND_ASSIGN(const UploadInfo before, blobs().GetUpload(context_, "app", id));
  const absl::Time since = before.started + absl::Hours(1);
  ASSERT_OK_AND_ASSIGN(const PruneReport would, cache().PruneRecords(context_, since, /*is_dry_run=*/true));
  EXPECT_EQ(would.bytes, 2005);
  EXPECT_EQ(charged(), 42008);
  ASSERT_OK_AND_ASSIGN(const PruneReport did, cache().PruneRecords(context_, since));
  EXPECT_EQ(did.bytes, 2005);
  EXPECT_EQ(charged(), 40003);
  ASSERT_OK(cache().PutRecord(context_, "two", "", {own}));
  EXPECT_EQ(charged(), 2000);
}

}  // namespace strata::blobstore
