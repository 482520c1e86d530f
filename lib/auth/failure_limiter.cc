#include "lib/auth/failure_limiter.h"

#include <algorithm>

namespace strata::auth {
namespace {

constexpr int kMaxDoublings = 20;

}  // namespace

absl::Duration FailureLimiter::WaitOf(const Entry& entry) const {
  const int beyond = entry.failures - limits_.free_failures;
  if (beyond <= 0) return absl::ZeroDuration();
  return std::min(limits_.first_wait * (int64_t{1} << std::min(beyond - 1, kMaxDoublings)), limits_.longest_wait);
}

absl::Duration FailureLimiter::Wait(absl::string_view key) const {
  const absl::Time now = clock_.Now();
  MutexLock lock(mutex_);
  const auto found = entries_.find(key);
  if (found == entries_.end()) return absl::ZeroDuration();
  return std::max(absl::ZeroDuration(), found->second.last + WaitOf(found->second) - now);
}

void FailureLimiter::Fail(absl::string_view key) {
  const absl::Time now = clock_.Now();
  MutexLock lock(mutex_);
  if (entries_.size() >= limits_.max_keys && !entries_.contains(key)) MakeRoom();
  Entry& entry = entries_[std::string(key)];
  if (now - entry.last > limits_.memory) entry.failures = 0;
  ++entry.failures;
  entry.last = now;
}

void FailureLimiter::Succeed(absl::string_view key) {
  MutexLock lock(mutex_);
  entries_.erase(key);
}

// The older half goes at once, so that a full table costs each newcomer little.
void FailureLimiter::MakeRoom() {
  std::vector<absl::Time> times;
  times.reserve(entries_.size());
  for (const auto& [key, entry] : entries_) times.push_back(entry.last);
  const auto middle = times.begin() + static_cast<ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  const absl::Time oldest_kept = *middle;
  absl::erase_if(entries_, [oldest_kept](const auto& item) { return item.second.last <= oldest_kept; });
}

}  // namespace strata::auth
