// A one-way switch that says "stop": a vanished client, a failed sibling, a drain.
//
// Work polls cancelled(), or registers a callback that unblocks it (kill a process, shut a socket down). Callbacks run once, on
// the thread that calls Cancel(), or at once when already cancelled; they must not block. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "lib/base/mutex.h"

namespace strata {

class Cancellation {
 public:
  // Unregisters the callback when destroyed; after that it neither runs nor is running.
  class Registration {
   public:
    Registration() = default;
    Registration(Cancellation* owner, uint64_t id) : owner_(owner), id_(id) {}
    Registration(Registration&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)), id_(other.id_) {}
    Registration& operator=(Registration&& other) noexcept {
      Drop();
      owner_ = std::exchange(other.owner_, nullptr);
      id_ = other.id_;
      return *this;
    }
    ~Registration() { Drop(); }

   private:
    void Drop();
    Cancellation* owner_ = nullptr;
    uint64_t id_ = 0;
  };

  Cancellation() = default;
  Cancellation(const Cancellation&) = delete;
  Cancellation& operator=(const Cancellation&) = delete;

  bool cancelled() const { return cancelled_.load(std::memory_order_acquire); }
  void Cancel();
  // The registration must not outlive this object.
  [[nodiscard]] Registration OnCancel(std::function<void()> callback);

 private:
  std::atomic<bool> cancelled_{false};
  Mutex mutex_;  // held while callbacks run: that is what makes Drop() wait for them
  std::map<uint64_t, std::function<void()>> callbacks_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_id_ ABSL_GUARDED_BY(mutex_) = 1;
};

}  // namespace strata
