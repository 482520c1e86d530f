// A bounded pool of threads for blocking work. Threads start when work finds none idle, and stay.
#pragma once

#include <deque>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "lib/base/mutex.h"

namespace strata::http {

// Thread-safe.
class WorkerPool {
 public:
  explicit WorkerPool(size_t max_threads) : max_threads_(max_threads) {}
  ~WorkerPool();  // runs what is queued, then joins
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Never blocks on work. The queue is as long as the caller makes it: here, one entry a connection at most.
  void Run(absl::AnyInvocable<void()> job);

 private:
  void ThreadMain();

  const size_t max_threads_;
  Mutex mutex_;
  CondVar work_arrived_;
  std::deque<absl::AnyInvocable<void()>> queue_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
  size_t idle_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace strata::http
