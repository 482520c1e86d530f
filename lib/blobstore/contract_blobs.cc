// Who may read what.
#include "lib/blobstore/contract.h"

namespace strata::blobstore {

using ::testing::ElementsAre;
using strata::testing::StatusIs;
using enum absl::StatusCode;

TEST_P(StoreContractTest, RangesAreExact) {
  const std::string content = Content((2 << 20) + 123, 10);
  const Digest digest = Upload("app", content);
  const std::pair<uint64_t, std::optional<uint64_t>> ranges[] = {
      {0, 0},       {0, 1},           {5, 10},         {1 << 20, 1 << 20}, {1000, std::nullopt},
      {65535, 2},   {content.size() - 1, 1}, {content.size(), std::nullopt}, {content.size(), 5}, {content.size() - 5, 500},
      {3, (1 << 20) + 1}};
  for (const auto& [offset, length] : ranges) {
    SCOPED_TRACE(::testing::Message() << offset << "+" << length.value_or(UINT64_MAX));
    ASSERT_OK_AND_ASSIGN(const std::string read, Read("app", digest, offset, length));
    EXPECT_TRUE(read == content.substr(offset, length.value_or(std::string::npos))) << read.size();
  }
  EXPECT_THAT(Read("app", digest, content.size() + 1), StatusIs(kOutOfRange, ""));
}

TEST_P(StoreContractTest, RepositoriesReadOnlyWhatIsLinkedThere) {
  const Digest digest = Upload("one", "secret");
  EXPECT_THAT(Read("two", digest), StatusIs(kNotFound, digest.ToString()));
  EXPECT_FALSE(Has("two", digest));
  ASSERT_OK_AND_ASSIGN(const std::string read, Read("", digest));
  EXPECT_EQ(read, "secret");
}

TEST_P(StoreContractTest, StatAnswersInOrder) {
  const Digest a = Upload("app", "a");
  const Digest bcd = Upload("app", "bcd");
  const Digest elsewhere = Upload("other", "x");
  ASSERT_OK_AND_ASSIGN(const auto sizes, blobs().StatBlobs(context_, "app", {bcd, Digest::Of("none"), a, elsewhere, bcd}));
  EXPECT_THAT(sizes, ElementsAre(std::optional<uint64_t>(3), std::nullopt, std::optional<uint64_t>(1), std::nullopt,
                                 std::optional<uint64_t>(3)));
  ASSERT_OK_AND_ASSIGN(const auto any, blobs().StatBlobs(context_, "", {elsewhere}));
  EXPECT_THAT(any, ElementsAre(std::optional<uint64_t>(1)));
  ASSERT_OK_AND_ASSIGN(const auto none, blobs().StatBlobs(context_, "app", {}));
  EXPECT_TRUE(none.empty());
  EXPECT_THAT(blobs().StatBlobs(context_, "", std::vector<Digest>(10001, a)), StatusIs(kInvalidArgument, "10000"));
}

TEST_P(StoreContractTest, LinksGiveAccessWithoutCopying) {
  const Digest a = Upload("one", "aa");
  const Digest b = Upload("one", "bb");
  ASSERT_OK(blobs().LinkBlobs(context_, "two", "one", {a, b}));
  ASSERT_OK_AND_ASSIGN(const std::string read, Read("two", b));
  EXPECT_EQ(read, "bb");
  ASSERT_OK(blobs().LinkBlobs(context_, "three", "", {a}));
  EXPECT_TRUE(Has("three", a));
  EXPECT_FALSE(Has("three", b));
}

TEST_P(StoreContractTest, LinkingIsAllOrNothing) {
  const Digest a = Upload("one", "aa");
  const Digest c = Upload("elsewhere", "cc");
  EXPECT_THAT(blobs().LinkBlobs(context_, "two", "one", {a, Digest::Of("none")}),
              StatusIs(kNotFound, Digest::Of("none").ToString()));
  EXPECT_THAT(blobs().LinkBlobs(context_, "two", "one", {a, c}), StatusIs(kNotFound, c.ToString()));
  EXPECT_FALSE(Has("two", a));
  EXPECT_THAT(blobs().LinkBlobs(context_, "Bad Name", "one", {a}), StatusIs(kInvalidArgument, ""));
}

TEST_P(StoreContractTest, UnlinkingTakesOneRepositorysAccess) {
  const Digest a = Upload("one", "aa");
  ASSERT_OK(blobs().LinkBlobs(context_, "two", "one", {a}));
  ASSERT_OK(blobs().UnlinkBlob(context_, "one", a));
  EXPECT_FALSE(Has("one", a));
  EXPECT_TRUE(Has("two", a));
  EXPECT_THAT(blobs().UnlinkBlob(context_, "one", a), StatusIs(kNotFound, ""));
  EXPECT_THAT(blobs().UnlinkBlob(context_, "nowhere", a), StatusIs(kNotFound, ""));
}

TEST_P(StoreContractTest, AReaderOutlivesTheLink) {
  const std::string content = Content(2 << 20, 11);
  const Digest digest = Upload("app", content);
  ASSERT_OK_AND_ASSIGN(const auto reader, blobs().OpenBlob(context_, "app", digest));
  std::string start(1000, '\0');
  ASSERT_OK(ReadExactly(*reader, start.data(), start.size()));
  ASSERT_OK(blobs().UnlinkBlob(context_, "app", digest));
  ASSERT_OK_AND_ASSIGN(const std::string rest, ReadAll(*reader, 4 << 20));
  EXPECT_TRUE(start + rest == content);
}

TEST_P(StoreContractTest, GarbageGoesAtOnceAndTheRestStays) {
  const Digest garbage = Upload("app", Content(100000, 12));
  const Image image = Push("app", {"v1"}, 13);
  const Digest leased = Upload("app", "a push whose manifest has not arrived");
  ASSERT_OK(blobs().UnlinkBlob(context_, "app", garbage));
  ASSERT_OK_AND_ASSIGN(const GarbageReport report, admin().CollectGarbage(context_));
  EXPECT_EQ(report.blobs_removed, 1);
  EXPECT_GE(report.bytes_reclaimed, 100000);
  EXPECT_FALSE(Has("", garbage));
  EXPECT_TRUE(Has("app", image.config));
  EXPECT_TRUE(Has("app", image.layer));
  EXPECT_TRUE(Has("app", leased));
  EXPECT_THAT(blobs().LinkBlobs(context_, "app", "", {garbage}), StatusIs(kNotFound, ""));
}

TEST_P(StoreContractTest, ADeletedImageIsCollectedAfterItsLease) {
  const Image kept = Push("app", {"v1"}, 14);
  const Image deleted = Push("app", {"v2"}, 15);
  const Digest unnamed = Upload("app", "no manifest ever came");
  AdvanceClock(absl::Hours(25));
  ASSERT_OK(refs().DeleteManifest(context_, "app", deleted.digest));
  ASSERT_OK(admin().CollectGarbage(context_));
  EXPECT_FALSE(Has("", deleted.layer));
  EXPECT_FALSE(Has("", deleted.config));
  EXPECT_FALSE(Has("", unnamed));
  ASSERT_OK_AND_ASSIGN(const std::string layer, Read("app", kept.layer));
  EXPECT_TRUE(layer == Content(50000, 14));
}

TEST_P(StoreContractTest, StatisticsCount) {
  ASSERT_OK_AND_ASSIGN(const StoreStatistics empty, admin().GetStatistics(context_));
  EXPECT_EQ(empty.blobs, 0);
  Push("one", {"v1", "v2"}, 16);
  Push("two", {}, 16);
  Upload(kBuildRepository, "layer");
  StartUpload("one");
  ASSERT_OK(cache().PutRecord(context_, "k", "v", {}));
  ASSERT_OK_AND_ASSIGN(const StoreStatistics statistics, admin().GetStatistics(context_));
  EXPECT_EQ(statistics.blobs, 3);
  EXPECT_EQ(statistics.blob_bytes, 64 + 50000 + 5);
  EXPECT_EQ(statistics.repositories, 2);
  EXPECT_EQ(statistics.manifests, 2);
  EXPECT_EQ(statistics.tags, 2);
  EXPECT_EQ(statistics.open_uploads, 1);
  EXPECT_EQ(statistics.cache_records, 1);
}

}  // namespace strata::blobstore
