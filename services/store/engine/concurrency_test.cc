// Many clients at once on the same content: nobody fails, the counters are right, nothing is lost.
#include <atomic>
#include <thread>

#include "services/store/engine/engine_testing.h"

namespace strata::store {
namespace {

class ConcurrencyTest : public EngineTest {};

TEST_F(ConcurrencyTest, PushesThatShareABaseLayer) {
  constexpr int kThreads = 6;
  constexpr int kImages = 8;
  const std::string base = MakeContent(200000, 1);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      const std::string repository = absl::StrCat("team/app", i % 2);
      for (int j = 0; j < kImages; ++j) {
        const Digest layer = Upload(repository, base);
        const Digest config = Upload(repository, absl::StrCat("config ", i, " ", j));
        blobstore::PutManifestOptions options;
        options.tags = {"latest", absl::StrCat("t", i, "-", j)};
        EXPECT_OK(engine_->PutManifest(context_, repository, kImageType, ImageJson(config, {layer}), options));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  auto statistics = Statistics();
  EXPECT_EQ(statistics.blobs, kThreads * kImages + 1);
  EXPECT_EQ(statistics.manifests, kThreads * kImages);
  EXPECT_EQ(statistics.tags, kThreads * kImages + 2);
  EXPECT_EQ(statistics.repositories, 2);
  EXPECT_EQ(statistics.open_uploads, 0);
  EXPECT_EQ(Extents().size(), 1u);

  // The same threads take it all down while a collector runs.
  std::thread collecting([&] {
    for (int i = 0; i < 20; ++i) EXPECT_OK(engine_->CollectGarbage(context_));
  });
  for (int i = 0; i < 2; ++i) {
    threads[i] = std::thread([&, i] {
      const std::string repository = absl::StrCat("team/app", i);
      const auto listed = engine_->ListManifests(context_, repository, "", 0);
      EXPECT_OK(listed);
      for (const auto& manifest : listed->items) EXPECT_OK(engine_->DeleteManifest(context_, repository, manifest.digest));
    });
  }
  threads[0].join();
  threads[1].join();
  collecting.join();
  EXPECT_OK(engine_->CollectGarbage(context_));
  statistics = Statistics();
  EXPECT_EQ(statistics.blobs, 0);
  EXPECT_EQ(statistics.tags, 0);
  EXPECT_EQ(statistics.repositories, 0);
  EXPECT_TRUE(Extents().empty());
}

TEST_F(ConcurrencyTest, OneTagIsMovedByManyConditionally) {
  std::vector<Digest> digests;
  for (uint32_t i = 0; i < 4; ++i) digests.push_back(PushImage("a", "t", i));
  std::atomic<int> moves{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int j = 0; j < 25; ++j) {
        const auto now = engine_->GetManifest(context_, "a", {"t", std::nullopt}, true);
        ASSERT_OK(now);
        const absl::Status status = engine_->SetTag(context_, "a", "t", digests[i], now->digest);
        if (status.ok()) ++moves;
        EXPECT_TRUE(status.ok() || absl::IsAborted(status)) << status.ToString();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(moves, 0);
  EXPECT_EQ(Statistics().tags, 1);
}

TEST_F(ConcurrencyTest, TheCollectorsThreadStartsAndStops) {
  options_.collect_every = absl::Milliseconds(1);
  Reopen();
  engine_->StartCollector();
  PushImage("a", "t", 1);
  engine_->StopCollector();
  engine_->StartCollector();
  PushImage("a", "u", 2);
}

}  // namespace
}  // namespace strata::store
