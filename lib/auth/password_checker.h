// Checks passwords against bcrypt hashes, for callers that send the same one with each request.
//
// - What was right a moment ago is remembered, as an HMAC under a key of this process, never as text: docker's next request costs
//   microseconds. A changed hash in the file is another key, so an old password is forgotten at once.
// - An unknown user costs what a wrong password costs.
// - At most `concurrency` checks run, and `queue` wait; beyond that callers are told to come back.
// - Who guesses waits longer and longer: a peer with one user, and, further out, a peer with whatever users.
#pragma once

#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/auth/failure_limiter.h"
#include "lib/auth/htpasswd.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"

namespace strata::auth {

struct PasswordCheckerOptions {
  int concurrency = 2;
  int queue = 64;
  size_t cache_entries = 10'000;
  absl::Duration cache_time = absl::Minutes(5);
  FailureLimits per_user;
  FailureLimits per_peer = {.free_failures = 50};
};

// Thread-safe.
class PasswordChecker {
 public:
  // `clock` outlives this object.
  PasswordChecker(const Clock& clock, const PasswordCheckerOptions& options);

  // `peer` is an address without port. Blocks while the password is hashed.
  // kUnauthenticated: no such user, or not its password; the two are told alike. kResourceExhausted: too many failures, or too many
  // checks at the same moment; the message says how long to wait.
  absl::Status Check(const Users& users, absl::string_view peer, absl::string_view user, absl::string_view password);

 private:
  std::string CacheKey(absl::string_view user, absl::string_view password, absl::string_view hash) const;
  bool IsCached(const std::string& key);
  void Remember(const std::string& key);
  absl::Status AwaitTurn();
  void EndTurn();

  const Clock& clock_;
  const PasswordCheckerOptions options_;
  const std::string secret_;        // random, of this process
  const std::string decoy_hash_;    // what unknown users are checked against
  FailureLimiter users_failures_;
  FailureLimiter peers_failures_;
  Mutex mutex_;
  CondVar turn_over_;
  int running_ ABSL_GUARDED_BY(mutex_) = 0;
  int waiting_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_map<std::string, absl::Time> cache_ ABSL_GUARDED_BY(mutex_);  // to when it is forgotten
};

}  // namespace strata::auth
