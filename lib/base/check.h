// STRATA_CHECK: an invariant that only our own code can break. What a peer, a disk or a user can cause is a Status.
#pragma once

namespace strata::internal {
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition);
}  // namespace strata::internal

#define STRATA_CHECK(condition) \
  (static_cast<bool>(condition) ? static_cast<void>(0) : ::strata::internal::CheckFailed(__FILE__, __LINE__, #condition))
