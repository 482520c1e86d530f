// Cuts a stream into equal blocks, transforms the blocks on a few threads and writes the results in the order of the input.
//
// What is written depends on the input and the block size only, never on the number of threads or their timing. At most
// `threads + 1` blocks are held, so memory is (threads + 1) * (block_bytes + output_capacity).
//
//   Write() -> [filling] -> [queued] -> [working] -> [done] -> written to `inner` by the thread that calls Write() or Finish()
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/mutex.h"
#include "lib/bytes/byte_stream.h"

namespace strata::compress {

// Turns one block into at most `capacity` bytes at `out`; returns how many. Called by one thread at a time.
using BlockTransform = std::function<absl::StatusOr<size_t>(absl::string_view block, char* out, size_t capacity)>;

class BlockSink final : public ByteSink {
 public:
  struct Options {
    size_t block_bytes = 0;
    size_t output_capacity = 0;  // what the transform of one block needs at most
    int threads = 1;             // 0: transform in the calling thread
  };

  // `inner` must outlive this object. `make_transform` is called once a thread, so that each has its own state.
  BlockSink(ByteSink& inner, const Options& options, const std::function<BlockTransform()>& make_transform);
  // Stops the threads; what was not finished is lost.
  ~BlockSink() override;

  // As ByteSink; also the error of a transform or of `inner` for earlier data. Sticky.
  absl::Status Write(absl::string_view data) override;
  // Transforms what is left and writes everything out. A stream without any bytes becomes one transformed empty block.
  // Nothing may be written afterwards.
  absl::Status Finish();

 private:
  enum class State { kFilling, kQueued, kWorking, kDone };
  struct Slot {
    std::unique_ptr<char[]> input;
    size_t input_size = 0;
    std::unique_ptr<char[]> output;
    absl::StatusOr<size_t> output_size = size_t{0};
    State state = State::kFilling;
  };

  void Work(const BlockTransform& transform);
  void SubmitFilling();                 // the filling block goes to the workers
  absl::Status WriteOldest(bool wait);  // OK without effect when it is not done and `wait` is false
  absl::Status Fail(absl::Status status);

  ByteSink& inner_;
  const Options options_;
  BlockTransform inline_transform_;  // set when there are no threads
  absl::Status failure_;             // of the calling thread; sticky
  bool finished_ = false;
  bool any_block_ = false;

  // Slots form a ring: [oldest_, oldest_ + in_flight_) are queued or done, the next one is filling. Indices are the calling
  // thread's; `state` and what it hands over are guarded.
  std::vector<Slot> slots_;
  size_t oldest_ = 0;
  size_t in_flight_ = 0;

  Mutex mutex_;
  CondVar queued_;
  CondVar done_;
  size_t next_to_work_ ABSL_GUARDED_BY(mutex_) = 0;  // ring index that the next free worker looks at
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> workers_;
};

}  // namespace strata::compress
