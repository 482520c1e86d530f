#include "lib/http/worker_pool.h"

#include <system_error>
#include <utility>

namespace strata::http {

WorkerPool::~WorkerPool() {
  std::vector<std::thread> threads;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    threads.swap(threads_);
  }
  work_arrived_.SignalAll();
  for (std::thread& thread : threads) thread.join();
}

void WorkerPool::Run(absl::AnyInvocable<void()> job) {
  {
    MutexLock lock(mutex_);
    queue_.push_back(std::move(job));
    if (queue_.size() > idle_ && threads_.size() < max_threads_) {
      try {
        threads_.emplace_back(&WorkerPool::ThreadMain, this);
      } catch (const std::system_error&) {
        // No more threads to be had: those that run take the job in turn.
      }
    }
  }
  work_arrived_.Signal();
}

void WorkerPool::ThreadMain() {
  while (true) {
    absl::AnyInvocable<void()> job;
    {
      MutexLock lock(mutex_);
      ++idle_;
      while (queue_.empty() && !stopping_) work_arrived_.Wait(mutex_);
      --idle_;
      if (queue_.empty()) return;
      job = std::move(queue_.front());
      queue_.pop_front();
    }
    job();
  }
}

}  // namespace strata::http
