#include "lib/descriptor/ticket_table.h"

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <iterator>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"

namespace strata::descriptor {

namespace {

absl::StatusOr<std::string> NewTicket() {
  std::array<char, kTicketChars / 2> bytes;
  size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t n = ::getrandom(bytes.data() + have, bytes.size() - have, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoStatus(errno, "getrandom");
    have += static_cast<size_t>(n);
  }
  return absl::BytesToHexString(absl::string_view(bytes.data(), bytes.size()));
}

}  // namespace

absl::StatusOr<std::string> TicketTable::Add(UniqueFd fd) {
  STRATA_ASSIGN_OR_RETURN(std::string ticket, NewTicket());
  MutexLock lock(mutex_);
  ExpireLocked();
  if (entries_.size() >= max_tickets_) {
    return absl::ResourceExhaustedError(absl::StrCat(max_tickets_, " descriptors wait for whoever asked for them; no more may"));
  }
  entries_.push_back({ticket, clock_.Now() + life_, std::move(fd)});
  by_ticket_.emplace(entries_.back().ticket, std::prev(entries_.end()));
  return ticket;
}

absl::StatusOr<UniqueFd> TicketTable::Take(absl::string_view ticket) {
  MutexLock lock(mutex_);
  ExpireLocked();
  const auto found = by_ticket_.find(ticket);
  if (found == by_ticket_.end()) return absl::NotFoundError("no such ticket: it was used, has expired or never was");
  const auto entry = found->second;
  UniqueFd fd = std::move(entry->fd);
  by_ticket_.erase(found);
  entries_.erase(entry);
  return fd;
}

void TicketTable::Expire() {
  MutexLock lock(mutex_);
  ExpireLocked();
}

void TicketTable::ExpireLocked() {
  const absl::Time now = clock_.Now();
  while (!entries_.empty() && entries_.front().expires <= now) {
    by_ticket_.erase(entries_.front().ticket);
    entries_.pop_front();
  }
}

size_t TicketTable::size() const {
  MutexLock lock(mutex_);
  return entries_.size();
}

}  // namespace strata::descriptor
