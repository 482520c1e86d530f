// How long the history of a tag is kept, and that it tells the truth to readers and writers at once.
#include <atomic>
#include <thread>

#include "services/store/engine/engine_testing.h"
#include "services/store/engine/keyspace.h"
#include "services/store/engine/rocks_key_value.h"

namespace strata::store {
namespace {

using blobstore::TagChange;
using testing::StatusIs;

class TagHistoryTest : public EngineTest {
 protected:
  std::vector<blobstore::TagHistoryEntry> History(absl::string_view tag) {
    const auto page = engine_->ListTagHistory(context_, "a", tag, 0, 0);
    if (!page.ok()) {
      EXPECT_THAT(page, StatusIs(absl::StatusCode::kNotFound, tag));
      return {};
    }
    return page->items;
  }
  void Collect() { EXPECT_OK(engine_->CollectDue()); }
};

TEST_F(TagHistoryTest, OutlivesItsTagAndARestart) {
  const Digest digest = PushImage("a", "t", 1);
  ASSERT_OK(engine_->DeleteTag(context_, "a", "t"));
  Reopen();
  const auto history = History("t");
  ASSERT_EQ(history.size(), 2u);
  EXPECT_EQ(history[0].change, TagChange::kDelete);
  EXPECT_EQ(history[1].digest, digest);
}

TEST_F(TagHistoryTest, OfATagThatWentGoesWhenItIsOld) {
  PushImage("a", "t", 1);
  clock_.Advance(absl::Hours(24 * 30));
  ASSERT_OK(engine_->DeleteTag(context_, "a", "t"));
  clock_.Advance(absl::Hours(24 * 61));
  Collect();
  EXPECT_EQ(History("t").size(), 2u);
  clock_.Advance(absl::Hours(24 * 30));
  Collect();
  EXPECT_TRUE(History("t").empty());
}

TEST_F(TagHistoryTest, KeepsTheNewestEntryOfALivingTag) {
  std::vector<Digest> digests;
  for (uint32_t i = 0; i < 5; ++i) digests.push_back(PushImage("a", "t", i));
  clock_.Advance(absl::Hours(24 * 91));
  Collect();
  auto history = History("t");
  ASSERT_EQ(history.size(), 1u);
  EXPECT_EQ(history[0].digest, digests[4]);
  EXPECT_EQ(history[0].sequence, 5u);
  PushImage("a", "t", 0);
  ASSERT_OK(engine_->DeleteTag(context_, "a", "t"));
  history = History("t");
  EXPECT_EQ(history[0].sequence, 7u);
  clock_.Advance(absl::Hours(24 * 91));
  Collect();
  EXPECT_TRUE(History("t").empty());
}

TEST_F(TagHistoryTest, WhereATagWasLongIsNotForgottenAtOnce) {
  const Digest digest = PushImage("a", "t", 1);
  clock_.Advance(absl::Hours(24 * 400));
  PushImage("a", "t", 2);
  Collect();
  ASSERT_EQ(History("t").size(), 2u);
  EXPECT_EQ(History("t")[1].digest, digest);
  clock_.Advance(absl::Hours(24 * 91));
  Collect();
  EXPECT_EQ(History("t").size(), 1u);
}

TEST_F(TagHistoryTest, ShrinksWhenTheLimitIsLowered) {
  for (uint32_t i = 0; i < 20; ++i) PushImage("a", "t", i);
  options_.history_entries = 3;
  Reopen();
  PushImage("a", "t", 100);
  PushImage("a", "t", 101);
  EXPECT_EQ(History("t").size(), 3u);
}

TEST_F(TagHistoryTest, OfATagFromBeforeHistoriesBeginsWhereItWas) {
  const Digest digest = PushImage("a", "t", 1);
  engine_.reset();
  {
    auto kv = OpenRocksKeyValue(scratch_.Join("data/meta"));
    ASSERT_OK(kv);
    ASSERT_OK(InTransaction(**kv, Durability::kSynced, [](Transaction& transaction) {
      return transaction.Delete(Table::kFacts, keys::TagHistory("a", "t", 1));
    }));
  }
  Reopen();
  auto history = History("t");
  ASSERT_EQ(history.size(), 1u);
  EXPECT_EQ(history[0].change, TagChange::kBeforeHistory);
  EXPECT_EQ(history[0].digest, digest);
  ASSERT_OK(engine_->DeleteTag(context_, "a", "t"));
  history = History("t");
  ASSERT_EQ(history.size(), 2u);
  EXPECT_EQ(history[0].change, TagChange::kDelete);
  EXPECT_EQ(history[1].change, TagChange::kBeforeHistory);
  EXPECT_EQ(history[1].digest, digest);
}

TEST_F(TagHistoryTest, ManyWritersLeaveOneOrder) {
  std::vector<Digest> digests;
  for (uint32_t i = 0; i < 4; ++i) digests.push_back(PushImage("a", "", i));
  std::vector<std::thread> threads;
  std::atomic<int> changes{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int j = 0; j < 15; ++j) {
        const absl::Status status = engine_->SetTag(context_, "a", "t", digests[(i + j) % 4]);
        EXPECT_TRUE(status.ok() || absl::IsAborted(status)) << status.ToString();
        // The newest entry is where the tag is, whatever happens at the same time; an older look is in the history too.
        const auto now = engine_->GetManifest(context_, "a", {"t", std::nullopt}, true);
        ASSERT_OK(now);
        bool is_there = false;
        for (const auto& entry : History("t")) is_there |= entry.digest == now->digest;
        EXPECT_TRUE(is_there);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto history = History("t");
  for (size_t i = 0; i < history.size(); ++i) {
    EXPECT_EQ(history[i].sequence, history.size() - i);
    const bool is_repeated = i > 0 && history[i].digest == history[i - 1].digest;
    EXPECT_FALSE(is_repeated) << i;
  }
  const auto now = engine_->GetManifest(context_, "a", {"t", std::nullopt}, true);
  ASSERT_OK(now);
  EXPECT_EQ(history[0].digest, now->digest);
}

}  // namespace
}  // namespace strata::store
