// A digest computed by a thread of its own, so that hashing does not wait for compressing and uploading.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/string_view.h"
#include "lib/base/mutex.h"
#include "lib/digest/digest.h"
#include "lib/digest/hasher.h"

namespace strata::layer {

// Used by one thread at a time. Memory: at most kMaxQueued + 2 chunks of 256 KiB.
class BackgroundHasher {
 public:
  explicit BackgroundHasher(DigestAlgorithm algorithm = DigestAlgorithm::kSha256);
  ~BackgroundHasher();
  BackgroundHasher(const BackgroundHasher&) = delete;
  BackgroundHasher& operator=(const BackgroundHasher&) = delete;

  // Blocks while the hasher is far behind.
  void Update(absl::string_view data);
  // The digest of everything; call it once, as the last.
  Digest Finish();

 private:
  static constexpr size_t kMaxQueued = 8;

  void Work();
  void Submit();
  void Stop();

  std::string filling_;  // the calling thread's
  Hasher hasher_;        // the worker's until it is joined; the calling thread's when there is no worker

  Mutex mutex_;
  CondVar changed_;
  std::deque<std::string> queue_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::string> spare_ ABSL_GUARDED_BY(mutex_);  // emptied chunks, to be filled again
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread worker_;
};

}  // namespace strata::layer
