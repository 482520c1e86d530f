// What travels with every RPC and request: until when, may it stop, who asks, and how the logs name it.
//
// A cheap value: copy it. The Cancellation is borrowed and must outlive every copy. Thread-compatible.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "lib/base/cancellation.h"

namespace strata {

struct CallContext {
  absl::Time deadline = absl::InfiniteFuture();
  Cancellation* cancellation = nullptr;  // null: cannot be cancelled
  std::string principal;                 // empty: anonymous
  std::string request_id;                // empty: none given

  bool cancelled() const { return cancellation != nullptr && cancellation->cancelled(); }

  // OK while the work is still wanted; kCancelled or kDeadlineExceeded afterwards.
  absl::Status Check() const {
    if (cancelled()) return absl::CancelledError("the caller went away or cancelled the call");
    if (deadline != absl::InfiniteFuture() && absl::Now() > deadline) {
      return absl::DeadlineExceededError("the deadline of the call passed");
    }
    return absl::OkStatus();
  }
};

}  // namespace strata
