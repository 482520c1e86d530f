// Slows down guessing: who fails often within a while must wait.
#pragma once

#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"

namespace strata::auth {

struct FailureLimits {
  int free_failures = 5;                        // so many cost nothing
  absl::Duration first_wait = absl::Seconds(1); // then each doubles the wait
  absl::Duration longest_wait = absl::Minutes(5);
  absl::Duration memory = absl::Minutes(15);    // without a failure for so long, all is forgotten
  size_t max_keys = 100'000;                    // the oldest are forgotten first, about
};

// Thread-safe.
class FailureLimiter {
 public:
  // `clock` outlives this object.
  FailureLimiter(const Clock& clock, const FailureLimits& limits) : clock_(clock), limits_(limits) {}

  // How long `key` must wait still; zero: go on.
  absl::Duration Wait(absl::string_view key) const;
  void Fail(absl::string_view key);
  void Succeed(absl::string_view key);

 private:
  struct Entry {
    int failures = 0;
    absl::Time last;
  };
  absl::Duration WaitOf(const Entry& entry) const;
  void MakeRoom() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Clock& clock_;
  const FailureLimits limits_;
  mutable Mutex mutex_;
  absl::flat_hash_map<std::string, Entry> entries_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace strata::auth
