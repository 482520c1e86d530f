// Quotas of repository prefixes.
#include "lib/blobstore/contract.h"
#include "lib/blobstore/errors.h"

namespace strata::blobstore {

using strata::testing::StatusIs;
using enum absl::StatusCode;

namespace {

// kResourceExhausted that says it is of a quota, also over the wire.
void ExpectRefusedByQuota(const absl::Status& status, const std::string& named) {
  EXPECT_THAT(status, StatusIs(kResourceExhausted, named));
  EXPECT_EQ(WhatIsExhausted(status), Exhausted::kQuota) << status;
}

}  // namespace

TEST_P(StoreContractTest, QuotasAreSetChangedListedAndDeleted) {
  EXPECT_THAT(quotas().SetQuota(context_, "Bad", {.bytes = 1}), StatusIs(kInvalidArgument, ""));
  EXPECT_THAT(quotas().SetQuota(context_, "_build", {.bytes = 1}), StatusIs(kInvalidArgument, ""));
  EXPECT_THAT(quotas().SetQuota(context_, "team", {}), StatusIs(kInvalidArgument, "limit"));
  EXPECT_THAT(quotas().SetQuota(context_, "team", {.bytes = -1}), StatusIs(kInvalidArgument, ""));
  EXPECT_THAT(quotas().DeleteQuota(context_, "team"), StatusIs(kNotFound, "team"));
  ASSERT_OK(quotas().SetQuota(context_, "team", {.bytes = 1000}));
  ASSERT_OK(quotas().SetQuota(context_, "", {.manifests = 7}));
  ASSERT_OK(quotas().SetQuota(context_, "team", {.bytes = 2000}));
  ASSERT_OK_AND_ASSIGN(const std::vector<Quota> listed, quotas().ListQuotas(context_));
  ASSERT_EQ(listed.size(), 2u);
  EXPECT_EQ(listed[0].prefix, "");
  EXPECT_EQ(listed[0].limits.manifests, 7);
  EXPECT_EQ(listed[1].prefix, "team");
  EXPECT_EQ(listed[1].limits.bytes, 2000);
  ASSERT_OK(quotas().DeleteQuota(context_, "team"));
  ASSERT_OK_AND_ASSIGN(const std::vector<Quota> left, quotas().ListQuotas(context_));
  EXPECT_EQ(left.size(), 1u);
}

TEST_P(StoreContractTest, AQuotaCountsWhatIsThereAndWhatComesAndGoes) {
  const Image image = Push("team/app", {"v1"}, 1);
  const int64_t one = 64 + 50000 + static_cast<int64_t>(image.content.size());
  Upload("team", Content(100, 2));
  Upload("teammate", Content(100, 3));
  const auto used = [&] {
    const auto listed = quotas().ListQuotas(context_);
    EXPECT_OK(listed);
    return listed.ok() && listed->size() == 1 ? (*listed)[0].used_bytes : -1;
  };
  ASSERT_OK_AND_ASSIGN(const Quota quota, quotas().SetQuota(context_, "team", {.bytes = 1'000'000}));
  EXPECT_EQ(quota.used_bytes, one + 100);
  EXPECT_EQ(quota.used_manifests, 1);
  Push("team/app", {"v2"}, 1);  // again: nothing new
  EXPECT_EQ(used(), one + 100);
  ASSERT_OK(blobs().LinkBlobs(context_, "team/other", "team/app", {image.layer}));
  ASSERT_OK(blobs().LinkBlobs(context_, "team/other", "team/app", {image.layer}));
  EXPECT_EQ(used(), one + 100 + 50000);
  ASSERT_OK(blobs().UnlinkBlob(context_, "team/other", image.layer));
  EXPECT_EQ(used(), one + 100);
  ASSERT_OK(refs().DeleteManifest(context_, "team/app", image.digest));
  EXPECT_EQ(used(), 64 + 50000 + 100);
  AdvanceClock(absl::Hours(49));
  ASSERT_OK(admin().CollectGarbage(context_));
  EXPECT_EQ(used(), 0);
}

TEST_P(StoreContractTest, BeyondAQuotaEveryWayInIsRefused) {
  ASSERT_OK(quotas().SetQuota(context_, "team", {.bytes = 60'000}));
  const Digest held = Upload("team/app", Content(50000, 1));
  const Digest elsewhere = Upload("other", Content(20000, 2));
  ExpectRefusedByQuota(blobs().LinkBlobs(context_, "team/app", "other", {elsewhere}), "team");
  const std::string id = StartUpload("team/app");
  // What is announced is refused before it comes, and the session stays.
  ExpectRefusedByQuota(blobs().OpenUpload(context_, "team/app", id, 0, 20000).status(), "team");
  {
    const auto writer = OpenUpload("team/app", id, 0);
    absl::Status status = writer->Write(Content(20000, 3));
    if (status.ok()) status = writer->Flush().status();
    ExpectRefusedByQuota(status, "team");
  }
  EXPECT_THAT(Read("team/app", Digest::Of(Content(20000, 3))), StatusIs(kNotFound, ""));
  // Others are not concerned, and what fits still comes in.
  Upload("other", Content(20000, 3));
  Upload(kBuildRepository, Content(200000, 4));
  Upload("team/app", Content(5000, 5));
  // A limit below what is used refuses more and takes nothing away.
  ASSERT_OK(quotas().SetQuota(context_, "team", {.bytes = 1}));
  ExpectRefusedByQuota(blobs().StartUpload(context_, "team/app", DigestAlgorithm::kSha256).status(), "team");
  EXPECT_TRUE(Has("team/app", held));
  ASSERT_OK(quotas().DeleteQuota(context_, "team"));
  Upload("team/app", Content(20000, 3));
  ASSERT_OK_AND_ASSIGN(const StoreStatistics statistics, admin().GetStatistics(context_));
  EXPECT_GE(statistics.quota_refusals, 4);
}

TEST_P(StoreContractTest, ManifestsHaveAQuotaToo) {
  ASSERT_OK(quotas().SetQuota(context_, "team/app", {.manifests = 1}));
  const Image image = Push("team/app", {"v1"}, 1);
  Push("team/app", {"v2"}, 1);
  Upload("team/app", Content(64, 2));
  Upload("team/app", Content(50000, 2));
  const std::string second = ImageJson(Digest::Of(Content(64, 2)), Digest::Of(Content(50000, 2)));
  const auto put = [&] {
    return refs().PutManifest(context_, "team/app", "application/vnd.oci.image.manifest.v1+json", second, {}).status();
  };
  ExpectRefusedByQuota(put(), "team/app");
  ASSERT_OK(refs().DeleteManifest(context_, "team/app", image.digest));
  EXPECT_OK(put());
}

}  // namespace strata::blobstore
