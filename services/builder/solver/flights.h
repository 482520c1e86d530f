// Steps under way on this builder, by cache key, so that concurrent builds execute identical ones once. Thread-safe.
#pragma once

#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/call_context.h"
#include "lib/base/mutex.h"

namespace strata::solver {

class Flights {
 public:
  // Holding it means: this caller does the step. Landing (destruction) wakes those who wait.
  class Ticket {
   public:
    Ticket(Flights* owner, std::string key) : owner_(owner), key_(std::move(key)) {}
    ~Ticket();
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;

   private:
    Flights* owner_;
    std::string key_;
  };

  // A ticket when nobody is at this key; null after somebody who was has finished (look the record up again).
  // kCancelled, kDeadlineExceeded: the wait was given up.
  absl::StatusOr<std::unique_ptr<Ticket>> Join(const CallContext& context, absl::string_view key);

 private:
  struct Flight {
    bool landed = false;
  };
  Mutex mutex_;
  CondVar landed_;
  absl::flat_hash_map<std::string, std::shared_ptr<Flight>> flights_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace strata::solver
