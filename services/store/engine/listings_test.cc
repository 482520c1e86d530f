// Listings cost what they return, however much there is: counted in rows, not in time.
#include <memory>

#include "absl/strings/str_format.h"
#include "services/store/engine/counting_key_value.h"
#include "services/store/engine/engine_testing.h"
#include "services/store/engine/keyspace.h"
#include "services/store/engine/record.h"
#include "services/store/engine/rows.h"

namespace strata::store {
namespace {

constexpr int kRepositories = 1'000'000;
constexpr int kTags = 100'000;
constexpr int kManifests = 20'000;
constexpr int kPage = 50;

class ListingsTest : public EngineTest {
 protected:
  ListingsTest() {
    options_.wrap_metadata_for_test = [this](std::unique_ptr<KeyValueStore> inner) {
      auto counting = std::make_unique<CountingKeyValue>(std::move(inner));
      rows_ = counting.get();
      return counting;
    };
    Reopen();
  }

  // Puts `count` rows of facts that `make` gives, in transactions that are not synced.
  template <typename Make>
  void PutMany(int count, Make make) {
    for (int i = 0; i < count;) {
      ASSERT_OK(InTransaction(*rows_, Durability::kBuffered, [&](Transaction& transaction) -> absl::Status {
        for (const int end = std::min(count, i + 20'000); i < end; ++i) {
          const std::pair<std::string, std::string> row = make(i);
          const absl::Status put = transaction.Put(Table::kFacts, row.first, row.second);
          if (!put.ok()) return put;
        }
        return absl::OkStatus();
      }));
    }
  }
  static std::string Known() { return RecordWriter().U8(1).Time(absl::UnixEpoch()).Take(); }
  static Digest At(int i) { return Digest::Of(absl::StrCat("manifest ", i)); }

  // A page of 50 reads these, one more to see whether there are more, and a few to find its place.
  void ExpectCheapPage() { EXPECT_LE(rows_->TakeRowsRead(), kPage + 5); }

  CountingKeyValue* rows_ = nullptr;
};

TEST_F(ListingsTest, OfAMillionRepositories) {
  PutMany(kRepositories, [](int i) { return std::pair(keys::Repository(absl::StrFormat("team/r%07d", i)), Known()); });
  for (const char* last : {"", "team/r0500000", "team/r0999900"}) {
    rows_->TakeRowsRead();
    ASSERT_OK_AND_ASSIGN(const auto page, engine_->ListRepositories(context_, last, kPage));
    EXPECT_EQ(page.items.size(), static_cast<size_t>(kPage));
    EXPECT_TRUE(page.has_more);
    ExpectCheapPage();
  }
  rows_->TakeRowsRead();
  Statistics();
  EXPECT_LT(rows_->TakeRowsRead(), 20);
}

TEST_F(ListingsTest, OfTagsManifestsAndReferrers) {
  PutMany(1, [](int) { return std::pair(keys::Repository("team/app"), Known()); });
  TagRow tag;
  tag.digest = At(0);
  PutMany(kTags, [&](int i) { return std::pair(keys::Tag("team/app", absl::StrFormat("v%06d", i)), tag.Encode()); });
  ManifestRow manifest;
  manifest.media_type = kImageType;
  PutMany(kManifests, [&](int i) { return std::pair(keys::Manifest("team/app", At(i)), manifest.Encode()); });
  ReferrerRow referrer;
  referrer.media_type = kImageType;
  PutMany(kManifests, [&](int i) { return std::pair(keys::Referrer("team/app", At(0), At(i)), referrer.Encode()); });

  for (const char* last : {"", "v050000", "v099000"}) {
    rows_->TakeRowsRead();
    ASSERT_OK_AND_ASSIGN(const auto page, engine_->ListTags(context_, "team/app", last, kPage));
    EXPECT_EQ(page.items.size(), static_cast<size_t>(kPage));
    ExpectCheapPage();
  }
  const std::string middle = "sha256:" + std::string(64, '8');
  for (const std::string& last : {std::string(), middle}) {
    rows_->TakeRowsRead();
    ASSERT_OK_AND_ASSIGN(const auto manifests, engine_->ListManifests(context_, "team/app", last, kPage));
    EXPECT_EQ(manifests.items.size(), static_cast<size_t>(kPage));
    ExpectCheapPage();
    ASSERT_OK_AND_ASSIGN(const auto referrers, engine_->ListReferrers(context_, "team/app", At(0), "", last, kPage));
    EXPECT_EQ(referrers.items.size(), static_cast<size_t>(kPage));
    ExpectCheapPage();
  }
}

TEST_F(ListingsTest, AStatOfTenThousandDigestsReadsWhatItAsksFor) {
  const Digest there = Upload("team/app", "x");
  std::vector<Digest> digests = {there};
  for (int i = 1; i < 10'000; ++i) digests.push_back(At(i));
  rows_->TakeRowsRead();
  ASSERT_OK_AND_ASSIGN(const auto sizes, engine_->StatBlobs(context_, "team/app", digests));
  EXPECT_EQ(sizes[0], 1u);
  EXPECT_EQ(sizes[1], std::nullopt);
  // The link row for its lease, then once more for the answer, and the row of the blob that is there.
  EXPECT_LE(rows_->TakeRowsRead(), 20'001);
}

}  // namespace
}  // namespace strata::store
