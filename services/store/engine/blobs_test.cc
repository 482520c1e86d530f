// Reading, linking and damage, through the whole engine.
#include "services/store/engine/engine_testing.h"
#include "services/store/engine/keyspace.h"
#include "services/store/engine/record.h"
#include "services/store/engine/rocks_key_value.h"
#include "services/store/engine/rows.h"

namespace strata::store {
namespace {

using testing::StatusIs;

class BlobsTest : public EngineTest {
 protected:
  absl::StatusOr<std::string> ReadRange(const Digest& digest, uint64_t offset, std::optional<uint64_t> length) {
    auto reader = engine_->OpenBlob(context_, "team/app", digest, offset, length);
    if (!reader.ok()) return reader.status();
    return ReadAll(**reader, 1 << 30);
  }
};

TEST_F(BlobsTest, RangesAreExact) {
  for (size_t size : {1000u, 2500000u}) {
    const std::string content = MakeContent(size, 3);
    const Digest digest = Upload("team/app", content);
    for (uint64_t offset : {0ul, 1ul, size / 2, size - 1, size}) {
      for (std::optional<uint64_t> length : {std::optional<uint64_t>(), std::optional<uint64_t>(0), std::optional<uint64_t>(1),
                                             std::optional<uint64_t>(600), std::optional<uint64_t>(1200000)}) {
        SCOPED_TRACE(absl::StrCat(size, " ", offset, " ", length.value_or(9999)));
        ASSERT_OK_AND_ASSIGN(const std::string got, ReadRange(digest, offset, length));
        EXPECT_TRUE(got == content.substr(offset, length.value_or(size)));
      }
    }
    EXPECT_THAT(ReadRange(digest, size + 1, std::nullopt), StatusIs(absl::StatusCode::kOutOfRange, "past the"));
  }
}

TEST_F(BlobsTest, AreReadableWhereLinkedOnly) {
  const Digest digest = Upload("team/app", MakeContent(1000, 1));
  EXPECT_THAT(engine_->OpenBlob(context_, "team/other", digest, 0, std::nullopt),
              StatusIs(absl::StatusCode::kNotFound, "team/other"));
  EXPECT_FALSE(Has("team/other", digest));
  EXPECT_TRUE(Has("", digest));
  EXPECT_THAT(engine_->LinkBlobs(context_, "x", "team/other", {digest}), StatusIs(absl::StatusCode::kNotFound, "team/other"));
  ASSERT_OK(engine_->LinkBlobs(context_, "team/other", "team/app", {digest}));
  EXPECT_TRUE(Has("team/other", digest));
  ASSERT_OK(engine_->UnlinkBlob(context_, "team/app", digest));
  EXPECT_FALSE(Has("team/app", digest));
  EXPECT_TRUE(Has("team/other", digest));
  EXPECT_THAT(engine_->UnlinkBlob(context_, "team/app", digest), StatusIs(absl::StatusCode::kNotFound, "team/app"));
}

TEST_F(BlobsTest, LinksAllOrNothing) {
  const Digest digest = Upload("team/app", MakeContent(1000, 1));
  EXPECT_THAT(engine_->LinkBlobs(context_, "x", "", {digest, Digest::Of("missing")}), StatusIs(absl::StatusCode::kNotFound, ""));
  EXPECT_FALSE(Has("x", digest));
}

TEST_F(BlobsTest, NamesThatLookLikeOtherKeysFindNothing) {
  const Digest digest = Upload("team/app", MakeContent(1000, 1));
  const std::string hostile("team/app\0", 9);
  EXPECT_THAT(engine_->OpenBlob(context_, hostile, digest, 0, std::nullopt), StatusIs(absl::StatusCode::kInvalidArgument, ""));
}

TEST_F(BlobsTest, DamagedBytesAreNeverServedAndHealByAPush) {
  const std::string content = MakeContent(3000000, 4);
  const Digest digest = Upload("team/app", content);
  ASSERT_EQ(Extents().size(), 1u);
  std::string damaged = content;
  damaged[1500000] ^= 1;
  testing::WriteFile(Extents()[0], damaged);
  // The first piece is sound, the second is not, also for one who asks for another part of it.
  EXPECT_OK(ReadRange(digest, 0, 1000));
  EXPECT_THAT(ReadRange(digest, 1100000, 10), StatusIs(absl::StatusCode::kDataLoss, "damaged"));
  EXPECT_THAT(ReadRange(digest, 0, 1000), StatusIs(absl::StatusCode::kDataLoss, "push it again"));
  EXPECT_FALSE(Has("team/app", digest));
  Reopen();
  EXPECT_FALSE(Has("team/app", digest));
  Upload("team/app", content);
  EXPECT_EQ(Read("team/app", digest), content);
  EXPECT_EQ(Extents().size(), 1u);
  EXPECT_EQ(Statistics().blobs, 1);
  EXPECT_EQ(Statistics().blob_bytes, 3000000);
}

TEST_F(BlobsTest, AMissingExtentIsDataLoss) {
  const Digest digest = Upload("team/app", MakeContent(100000, 4));
  std::filesystem::remove(Extents()[0]);
  EXPECT_THAT(engine_->OpenBlob(context_, "team/app", digest, 0, std::nullopt), StatusIs(absl::StatusCode::kDataLoss, "missing"));
  EXPECT_FALSE(Has("team/app", digest));
}

TEST_F(BlobsTest, SecondProcessIsToldThatTheFolderIsInUse) {
  EXPECT_THAT(StoreEngine::Open(options_, clock_), StatusIs(absl::StatusCode::kFailedPrecondition, "another store process"));
}

TEST_F(BlobsTest, RefusesAFolderOfANewerFormat) {
  engine_.reset();
  {
    ASSERT_OK_AND_ASSIGN(const auto kv, OpenRocksKeyValue(options_.data_dir + "/meta"));
    ASSERT_OK(InTransaction(*kv, Durability::kSynced, [](Transaction& transaction) {
      return transaction.Put(Table::kFacts, keys::FormatVersion(), RecordWriter().U32(kFormatVersion + 1).Take());
    }));
  }
  EXPECT_THAT(StoreEngine::Open(options_, clock_), StatusIs(absl::StatusCode::kFailedPrecondition, absl::StrCat("has format ", kFormatVersion + 1)));
}

}  // namespace
}  // namespace strata::store
