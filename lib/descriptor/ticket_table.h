// Which ticket stands for which descriptor. Tickets are random, good once, and expire; their number is bounded.
//
// Thread-safe. Descriptors whose tickets expired are closed by the next Add(), Take() or Expire().
#pragma once

#include <list>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "lib/base/unique_fd.h"

namespace strata::descriptor {

inline constexpr size_t kTicketChars = 32;  // 16 random bytes in hexadecimal

class TicketTable {
 public:
  // `clock` outlives this object.
  TicketTable(size_t max_tickets, absl::Duration life, const Clock& clock)
      : max_tickets_(max_tickets), life_(life), clock_(clock) {}

  // kResourceExhausted: as many tickets are out as may be.
  absl::StatusOr<std::string> Add(UniqueFd fd);
  // kNotFound: never was, was taken, or has expired.
  absl::StatusOr<UniqueFd> Take(absl::string_view ticket);
  void Expire();
  size_t size() const;

 private:
  struct Entry {
    std::string ticket;
    absl::Time expires;
    UniqueFd fd;
  };
  void ExpireLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const size_t max_tickets_;
  const absl::Duration life_;
  const Clock& clock_;
  mutable Mutex mutex_;
  std::list<Entry> entries_ ABSL_GUARDED_BY(mutex_);  // soonest to expire first
  absl::flat_hash_map<absl::string_view, std::list<Entry>::iterator> by_ticket_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace strata::descriptor
