#include <atomic>
#include <thread>
#include <vector>

#include "lib/base/cancellation.h"
#include "lib/testing/status_matchers.h"
#include "services/builder/snapshot/flights.h"
#include "services/builder/snapshot/layer_record.h"

namespace strata::snapshot {
namespace {

using testing::StatusIs;

TEST(LayerRecord, ReadsWhatItWrote) {
  const LayerRecord record = {.key = "sha256:ab@sha256:cd", .size_bytes = 123, .has_root_entry = true, .unsynced_boot = "b"};
  ASSERT_OK_AND_ASSIGN(const LayerRecord read, ParseRecord(FormatRecord(record)));
  EXPECT_EQ(read.key, record.key);
  EXPECT_EQ(read.size_bytes, 123);
  EXPECT_TRUE(read.has_root_entry);
  EXPECT_EQ(read.unsynced_boot, "b");
}

TEST(LayerRecord, RefusesEveryTornRecord) {
  const std::string whole = FormatRecord({.key = "sha256:ab", .size_bytes = 5});
  for (size_t length = 0; length < whole.size(); ++length) {
    EXPECT_THAT(ParseRecord(whole.substr(0, length)), StatusIs(absl::StatusCode::kDataLoss, "damaged")) << length;
  }
  EXPECT_THAT(ParseRecord(std::string(whole.size(), '\0')), StatusIs(absl::StatusCode::kDataLoss, "damaged"));
}

TEST(Flights, RunTheWorkOnceAtATime) {
  Flights flights;
  std::atomic<int> running = 0;
  std::atomic<int> most = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      EXPECT_OK(flights.Run({}, "key", [&] {
        most = std::max<int>(most, ++running);
        std::this_thread::yield();
        --running;
        return absl::OkStatus();
      }));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(most, 1);
}

TEST(Flights, AWaiterGoesOnWhenTheOtherGaveUp) {
  Flights flights;
  Cancellation first_cancellation;
  CallContext first_context;
  first_context.cancellation = &first_cancellation;
  std::atomic<bool> started = false;
  std::thread first([&] {
    EXPECT_THAT(flights.Run(first_context, "key",
                            [&] {
                              started = true;
                              while (!first_cancellation.cancelled()) std::this_thread::yield();
                              return absl::CancelledError("gone");
                            }),
                StatusIs(absl::StatusCode::kCancelled, "gone"));
  });
  while (!started) std::this_thread::yield();
  std::atomic<bool> ran = false;
  std::thread second([&] {
    EXPECT_OK(flights.Run({}, "key", [&] {
      ran = true;
      return absl::OkStatus();
    }));
  });
  first_cancellation.Cancel();
  first.join();
  second.join();
  EXPECT_TRUE(ran);
}

TEST(Flights, AWaiterMayLeave) {
  Flights flights;
  Cancellation cancellation;
  cancellation.Cancel();
  CallContext context;
  context.cancellation = &cancellation;
  EXPECT_THAT(flights.Run(context, "key", [] { return absl::OkStatus(); }), StatusIs(absl::StatusCode::kCancelled, ""));
}

}  // namespace
}  // namespace strata::snapshot
