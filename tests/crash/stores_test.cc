// The oracle's clients and checks over stores that do not die: whatever fails here is a bug of the store's logic, or of the model.
#include <filesystem>
#include <system_error>
#include <thread>

#include "lib/blobstore/memory_store.h"
#include "lib/testing/fake_clock.h"
#include "lib/testing/scratch_dir.h"
#include "lib/testing/status_matchers.h"
#include "services/store/engine/store_engine.h"
#include "tests/crash/verifier.h"
#include "tests/crash/worker.h"

namespace strata::crash {
namespace {

constexpr int kThreads = 4;
constexpr int kSteps = 250;

bool NothingExplainsAnError(const absl::Status&) { return false; }

class StoresTest : public ::testing::Test {
 protected:
  void Work(const Stores& stores, int threads, uint64_t seed) {
    std::vector<std::thread> running;
    for (int i = 0; i < threads; ++i) {
      running.emplace_back([this, &stores, i, seed] {
        Worker worker(model_, content_, stores, i, seed * 100 + static_cast<uint64_t>(i));
        for (int step = 0; step < kSteps && worker.Step(); ++step) {
        }
      });
    }
    for (std::thread& thread : running) thread.join();
  }

  const ContentLibrary content_{60};
  Model model_{kThreads};
};

TEST_F(StoresTest, AStoreInMemoryKeepsEveryPromise) {
  blobstore::MemoryStore store;
  const Stores stores = StoresOf(store, NothingExplainsAnError);
  for (uint64_t round = 0; round < 3; ++round) {
    Work(stores, kThreads, round);
    Verifier(model_, content_, stores).CheckEverything();
    ASSERT_FALSE(model_.has_failed());
  }
}

class EngineStoresTest : public StoresTest {
 protected:
  void Open() {
    engine_.reset();
    store::EngineOptions options;
    options.data_dir = scratch_.Join("data");
    options.reserved_bytes = 0;
    auto opened = store::StoreEngine::Open(options, clock_);
    ASSERT_OK(opened);
    engine_ = *std::move(opened);
  }
  size_t CountExtents() const {
    size_t count = 0;
    std::error_code error;
    for (std::filesystem::recursive_directory_iterator entry(scratch_.Join("data/extents"), error), end; !error && entry != end;
         entry.increment(error)) {
      if (entry->is_regular_file(error)) ++count;
    }
    return count;
  }

  testing::ScratchDir scratch_;
  testing::FakeClock clock_;
  std::unique_ptr<store::StoreEngine> engine_;
};

TEST_F(EngineStoresTest, TheEngineKeepsEveryPromiseAndLeaksNothing) {
  for (uint64_t round = 0; round < 4; ++round) {
    Open();
    const Stores stores = StoresOf(*engine_, NothingExplainsAnError);
    Verifier(model_, content_, stores).CheckEverything();
    Work(stores, round == 0 ? 1 : kThreads, round);
    Verifier(model_, content_, stores).CheckEverything();
    ASSERT_FALSE(model_.has_failed());
    // A day without anybody: leases and sessions are over.
    model_.SetTinyGrace(true);
    clock_.Advance(absl::Hours(25));
    Verifier(model_, content_, stores).CollectAndCheckEverything([this] { return CountExtents(); });
    model_.SetTinyGrace(false);
    ASSERT_FALSE(model_.has_failed());
  }
}

}  // namespace
}  // namespace strata::crash
