// Runs one piece of work at a time for each key, however many callers want it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "lib/base/call_context.h"
#include "lib/base/mutex.h"

namespace strata::snapshot {

// Thread-safe.
class Flights {
 public:
  // Runs `work` for `key`, or waits for the caller who does. A waiter shares a failure, unless that caller merely gave up (kCancelled,
  // kDeadlineExceeded): then one of the waiters goes on. Returns early when `context` ends.
  absl::Status Run(const CallContext& context, const std::string& key, const std::function<absl::Status()>& work);

 private:
  struct Flight {
    bool landed = false;
    absl::Status status;
  };

  Mutex mutex_;
  CondVar landed_;
  std::map<std::string, std::shared_ptr<Flight>> flights_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace strata::snapshot
