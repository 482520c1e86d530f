// The minimum-progress rule: no deadline for a whole transfer, but while we wait for a peer something must keep moving.
//
// Only time spent waiting counts, so a slow disk on our side never fails a transfer. Thread-compatible.
#pragma once

#include <algorithm>
#include <cstdint>

#include "absl/time/time.h"

namespace strata::http {

class ProgressMeter {
 public:
  // In each `timeout` of waiting at least `min_bytes` must move.
  ProgressMeter(absl::Duration timeout, uint64_t min_bytes) : timeout_(timeout), min_bytes_(min_bytes) {}

  void Moved(uint64_t bytes) {
    moved_ += bytes;
    if (moved_ < min_bytes_) return;
    moved_ = 0;
    waited_ = absl::ZeroDuration();
  }
  void Waited(absl::Duration time) { waited_ += time; }
  // How long the next wait may be; zero: the peer is too slow, give up.
  absl::Duration Left() const { return std::max(timeout_ - waited_, absl::ZeroDuration()); }
  void Restart() {
    moved_ = 0;
    waited_ = absl::ZeroDuration();
  }

 private:
  absl::Duration timeout_;
  uint64_t min_bytes_;
  uint64_t moved_ = 0;
  absl::Duration waited_;
};

}  // namespace strata::http
