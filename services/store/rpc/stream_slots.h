// How many content streams may run at once. Each holds a thread for as long as its client takes; what is left over serves the short
// calls, so that clients who dawdle over downloads never stop manifests, tags and statistics. Thread-safe; never blocks.
#pragma once

#include <atomic>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace strata::store {

class StreamSlots {
 public:
  // Gives its place back when destroyed.
  class Slot {
   public:
    explicit Slot(std::atomic<int>& taken) : taken_(&taken) {}
    Slot(Slot&& other) noexcept : taken_(std::exchange(other.taken_, nullptr)) {}
    Slot& operator=(Slot&&) = delete;
    ~Slot() {
      if (taken_ != nullptr) taken_->fetch_sub(1);
    }

   private:
    std::atomic<int>* taken_;
  };

  explicit StreamSlots(int limit) : limit_(limit) {}

  // kUnavailable: all are taken. This object outlives the slot.
  absl::StatusOr<Slot> Take() {
    Slot slot(taken_);
    if (taken_.fetch_add(1) < limit_) return slot;
    return absl::UnavailableError(
        absl::StrCat("the store is moving ", limit_, " blobs already, the most it does at once; retry in a moment"));
  }

 private:
  const int limit_;
  std::atomic<int> taken_{0};
};

}  // namespace strata::store
