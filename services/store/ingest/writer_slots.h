// How many uploads may hold buffers at once: what keeps memory bounded however many clients push. Thread-safe; never blocks.
#pragma once

#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "lib/base/mutex.h"

namespace strata::store {

class WriterSlots {
 public:
  // Gives its place back when destroyed.
  class Slot {
   public:
    Slot() = default;
    explicit Slot(WriterSlots* owner) : owner_(owner) {}
    Slot(Slot&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)) {}
    Slot& operator=(Slot&& other) noexcept {
      Release();
      owner_ = std::exchange(other.owner_, nullptr);
      return *this;
    }
    ~Slot() { Release(); }

   private:
    void Release() {
      if (owner_ == nullptr) return;
      MutexLock lock(owner_->mutex_);
      --owner_->taken_;
    }
    WriterSlots* owner_ = nullptr;
  };

  explicit WriterSlots(int limit) : limit_(limit) {}

  // kUnavailable: all are taken. This object outlives the slot.
  absl::StatusOr<Slot> Take() {
    MutexLock lock(mutex_);
    if (taken_ >= limit_) {
      return absl::UnavailableError(absl::StrCat("the store is receiving ", taken_, " large blobs already; retry in a moment"));
    }
    ++taken_;
    return Slot(this);
  }

 private:
  const int limit_;
  Mutex mutex_;
  int taken_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace strata::store
