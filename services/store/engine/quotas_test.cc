// Quotas over the engine: exact while everything moves, and after a restart. The rules themselves: lib/blobstore/contract_quotas.cc.
#include "services/store/engine/quotas.h"

#include <atomic>
#include <thread>

#include "lib/blobstore/errors.h"
#include "services/store/engine/engine_testing.h"

namespace strata::store {
namespace {

using testing::StatusIs;

class QuotasTest : public EngineTest {
 protected:
  blobstore::Quota Get(absl::string_view prefix) {
    const auto quotas = engine_->ListQuotas(context_);
    EXPECT_OK(quotas);
    if (quotas.ok()) {
      for (const blobstore::Quota& quota : *quotas) {
        if (quota.prefix == prefix) return quota;
      }
    }
    ADD_FAILURE() << "no quota of " << prefix;
    return {};
  }
  absl::Status TryUpload(absl::string_view repository, const std::string& content, bool is_announced = false) {
    StringSource source(content);
    return blobstore::UploadBlob(*engine_, context_, repository, source, Digest::Of(content),
                                 is_announced ? std::optional<uint64_t>(content.size()) : std::nullopt);
  }
};

TEST_F(QuotasTest, AQuotaMadeWhilePushesGoOnIsExact) {
  PushImage("team/app", "before", 1);
  std::atomic<bool> is_done = false;
  std::vector<std::thread> pushers;
  for (int t = 0; t < 3; ++t) {
    pushers.emplace_back([&, t] {
      for (int i = 0; !is_done; ++i) {
        const std::string repository = absl::StrCat("team/r", t);
        const Digest image = PushImage(repository, "tag", static_cast<uint32_t>(100 + t * 1000 + i % 7));
        if (i % 3 != 2) continue;
        EXPECT_OK(engine_->DeleteManifest(context_, repository, image));
      }
    });
  }
  for (int round = 0; round < 5; ++round) {
    ASSERT_OK(engine_->SetQuota(context_, "team", {.bytes = 1'000'000'000}));
    ASSERT_OK(engine_->SetQuota(context_, "", {.bytes = 1'000'000'000}));
    if (round < 4) ASSERT_OK(engine_->DeleteQuota(context_, "team"));
  }
  is_done = true;
  for (std::thread& pusher : pushers) pusher.join();
  const blobstore::Quota kept = Get("team");
  EXPECT_GT(kept.used_bytes, 0);
  EXPECT_EQ(kept.reserved_bytes, 0);
  EXPECT_EQ(Get("").used_bytes, kept.used_bytes);
  // Counted anew, with nothing going on, it is the same.
  ASSERT_OK(engine_->DeleteQuota(context_, "team"));
  ASSERT_OK_AND_ASSIGN(const blobstore::Quota counted, engine_->SetQuota(context_, "team", {.bytes = 1}));
  EXPECT_EQ(counted.used_bytes, kept.used_bytes);
  EXPECT_EQ(counted.used_manifests, kept.used_manifests);
  Reopen();
  EXPECT_EQ(Get("team").used_bytes, kept.used_bytes);
  EXPECT_EQ(Get("team").used_manifests, kept.used_manifests);
  EXPECT_EQ(Get("team").limits.bytes, 1);
}

TEST_F(QuotasTest, ParallelUploadsNeverPassTheLimit) {
  constexpr int kThreads = 8;
  ASSERT_OK(engine_->SetQuota(context_, "team", {.bytes = 350'000}));
  std::atomic<int> taken = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      const absl::Status status = TryUpload(absl::StrCat("team/r", t % 3), MakeContent(100'000, 10 + t), t % 2 == 0);
      if (status.ok()) ++taken;
      EXPECT_TRUE(status.ok() || blobstore::WhatIsExhausted(status) == blobstore::Exhausted::kQuota) << status;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(taken, 3);
  EXPECT_EQ(Get("team").used_bytes, taken * 100'000);
  EXPECT_EQ(Get("team").reserved_bytes, 0);
  EXPECT_EQ(Extents().size(), static_cast<size_t>(taken));
}

TEST_F(QuotasTest, WhatAnUnfinishedUploadHoldsIsReservedAlsoAfterARestart) {
  ASSERT_OK(engine_->SetQuota(context_, "team", {.bytes = 150'000}));
  ASSERT_OK_AND_ASSIGN(const std::string id, engine_->StartUpload(context_, "team/app", DigestAlgorithm::kSha256));
  const std::string content = MakeContent(120'000, 1);
  {
    ASSERT_OK_AND_ASSIGN(const auto writer, engine_->OpenUpload(context_, "team/app", id, 0, 120'000));
    EXPECT_EQ(Get("team").reserved_bytes, 120'000);
    ASSERT_OK(writer->Write(absl::string_view(content).substr(0, 100'000)));
    ASSERT_OK(writer->Flush());
  }
  EXPECT_EQ(Get("team").reserved_bytes, 100'000);
  Reopen();
  EXPECT_EQ(Get("team").reserved_bytes, 100'000);
  EXPECT_THAT(TryUpload("team/other", MakeContent(60'000, 2)), StatusIs(absl::StatusCode::kResourceExhausted, "of which 100000 are used"));
  {
    ASSERT_OK_AND_ASSIGN(const auto writer, engine_->OpenUpload(context_, "team/app", id, 100'000, 20'000));
    ASSERT_OK(writer->Write(absl::string_view(content).substr(100'000)));
    ASSERT_OK(writer->Commit(Digest::Of(content)));
  }
  EXPECT_EQ(Get("team").used_bytes, 120'000);
  EXPECT_EQ(Get("team").reserved_bytes, 0);
  ASSERT_OK_AND_ASSIGN(const std::string cancelled, engine_->StartUpload(context_, "team/app", DigestAlgorithm::kSha256));
  {
    ASSERT_OK_AND_ASSIGN(const auto writer, engine_->OpenUpload(context_, "team/app", cancelled, 0));
    ASSERT_OK(writer->Write("abc"));
    ASSERT_OK(engine_->CancelUpload(context_, "team/app", cancelled));
  }
  EXPECT_EQ(Get("team").reserved_bytes, 0);
}

TEST_F(QuotasTest, EveryQuotaThatAppliesMustHold) {
  ASSERT_OK(engine_->SetQuota(context_, "", {.bytes = 100'000}));
  ASSERT_OK(engine_->SetQuota(context_, "team/app", {.bytes = 500'000}));
  EXPECT_THAT(TryUpload("team/app", MakeContent(200'000, 1)), StatusIs(absl::StatusCode::kResourceExhausted, "the whole store"));
  EXPECT_EQ(Get("team/app").reserved_bytes, 0);
  EXPECT_OK(TryUpload("team/app", MakeContent(90'000, 1)));
  EXPECT_EQ(Get("").used_bytes, 90'000);
  EXPECT_EQ(Get("team/app").used_bytes, 90'000);
}

}  // namespace
}  // namespace strata::store
