// Whether this process wants work, and why not. Thread-safe.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "lib/base/mutex.h"

namespace strata::service {

class Readiness {
 public:
  void SetReady() { SetNotReady(""); }
  // `reason` is for people: "starting", "draining".
  void SetNotReady(std::string reason) {
    MutexLock lock(mutex_);
    reason_ = std::move(reason);
  }
  // What else must hold, asked at each reason(): "" when it does. Set before the first reason(); may block briefly, takes no lock.
  void SetCheck(std::function<std::string()> check) { check_ = std::move(check); }

  // "" when ready.
  std::string reason() const {
    std::string reason;
    {
      MutexLock lock(mutex_);
      reason = reason_;
    }
    return reason.empty() && check_ ? check_() : reason;
  }

 private:
  std::function<std::string()> check_;  // constant once the process is up
  mutable Mutex mutex_;
  std::string reason_ ABSL_GUARDED_BY(mutex_) = "starting";
};

}  // namespace strata::service
