// How many upload sessions are open, in all and in each repository: what keeps one client from filling the store with them.
// In memory, counted anew when the store opens; takes no memory for a repository without sessions. Thread-safe; never blocks.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "lib/base/mutex.h"
#include "services/store/engine/key_value.h"

namespace strata::store {

class OpenSessions {
 public:
  OpenSessions(int64_t max_in_all, int64_t max_a_repository) : max_in_all_(max_in_all), max_a_repository_(max_a_repository) {}

  // Counts a session that `transaction` makes; no longer when that is not committed. This object outlives the transaction.
  // kResourceExhausted: there are as many as may be.
  absl::Status Add(Transaction& transaction, absl::string_view repository);
  // Counts one that is there already, whatever the limits.
  void Found(absl::string_view repository);
  // Forgets a session once `transaction`, which removes it, is committed.
  void Remove(Transaction& transaction, absl::string_view repository);

 private:
  class Added;
  class Removed;
  void Forget(const std::string& repository);

  const int64_t max_in_all_;
  const int64_t max_a_repository_;
  Mutex mutex_;
  int64_t in_all_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_map<std::string, int64_t> by_repository_ ABSL_GUARDED_BY(mutex_);  // above 0
};

}  // namespace strata::store
