// Carrying absl::Status: the macros and the one helper that every layer uses.
//
// Codes have the meaning of the table in docs/glossary.md ("Errors"). Nothing here logs. Thread-safe: no state.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace strata {

// Prefixes the message with where we were: "reading manifest of app:1: no such blob". Keeps code and payloads; OK stays OK.
absl::Status Annotate(const absl::Status& status, absl::string_view where);

// The status of a failed system call: errno mapped to a code, text "<what>: <strerror>".
// ENOSPC and EDQUOT become kResourceExhausted, ENOENT kNotFound, EEXIST kAlreadyExists, EACCES/EPERM kPermissionDenied,
// EINTR/EAGAIN kUnavailable, ETIMEDOUT kDeadlineExceeded; all else kInternal.
absl::Status ErrnoStatus(int error_number, absl::string_view what);

}  // namespace strata

#define STRATA_CONCAT_INNER_(a, b) a##b
#define STRATA_CONCAT_(a, b) STRATA_CONCAT_INNER_(a, b)

// Returns from the enclosing function when `expr` is not OK.
#define STRATA_RETURN_IF_ERROR(expr)                       \
  do {                                                     \
    ::absl::Status strata_status_ = (expr);                \
    if (!strata_status_.ok()) return strata_status_;       \
  } while (false)

// `STRATA_ASSIGN_OR_RETURN(auto blob, store.Open(digest));`
#define STRATA_ASSIGN_OR_RETURN(lhs, expr) \
  STRATA_ASSIGN_OR_RETURN_IMPL_(STRATA_CONCAT_(strata_statusor_, __LINE__), lhs, expr)
#define STRATA_ASSIGN_OR_RETURN_IMPL_(statusor, lhs, expr) \
  auto statusor = (expr);                                  \
  if (!statusor.ok()) return statusor.status();            \
  lhs = *std::move(statusor)
