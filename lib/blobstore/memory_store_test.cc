#include "lib/blobstore/memory_store.h"

#include "lib/blobstore/contract.h"
#include "lib/testing/fake_clock.h"

namespace strata::blobstore {
namespace {

using strata::testing::StatusIs;

class MemoryEnvironment final : public ContractEnvironment {
 public:
  BlobStore& blobs() override { return store_; }
  RefStore& refs() override { return store_; }
  CacheStore& cache() override { return store_; }
  AdminStore& admin() override { return store_; }
  QuotaStore& quotas() override { return store_; }
  void AdvanceClock(absl::Duration by) override { clock_.Advance(by); }

 private:
  testing::FakeClock clock_;
  MemoryStore store_{clock_};
};

INSTANTIATE_TEST_SUITE_P(Memory, StoreContractTest,
                         ::testing::Values(ContractParam{"Memory", [] { return std::make_unique<MemoryEnvironment>(); }}));

TEST(MemoryStoreTest, ARecordWhoseBlobWasLostIsDropped) {
  MemoryStore store;
  const CallContext context;
  StringSource source("x");
  const Digest digest = Digest::Of("x");
  ASSERT_OK(UploadBlob(store, context, "app", source, digest));
  ASSERT_OK(store.PutRecord(context, "k", "v", {digest}));
  store.LoseBlobForTest(digest);
  EXPECT_THAT(store.GetRecord(context, "k"), StatusIs(absl::StatusCode::kNotFound, digest.ToString()));
  ASSERT_OK_AND_ASSIGN(const StoreStatistics statistics, store.GetStatistics(context));
  EXPECT_EQ(statistics.cache_records, 0);
}

class BrokenSource final : public ByteSource {
 public:
  absl::StatusOr<size_t> Read(char*, size_t) override { return absl::DataLossError("broken"); }
};

TEST(UploadBlobTest, AFailedSourceLeavesNoSession) {
  MemoryStore store;
  BrokenSource source;
  EXPECT_THAT(UploadBlob(store, CallContext(), "app", source, Digest::Of("x")), StatusIs(absl::StatusCode::kDataLoss, "broken"));
  ASSERT_OK_AND_ASSIGN(const StoreStatistics statistics, store.GetStatistics(CallContext()));
  EXPECT_EQ(statistics.open_uploads, 0);
}

}  // namespace
}  // namespace strata::blobstore
