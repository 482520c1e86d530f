// STOPSIGNAL names and numbers.   Pure function; thread-safe.
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace strata::dockerfile {

// The Linux signal number of "SIGTERM", "term", "15", "SIGRTMIN+3". kInvalidArgument: no such signal.
absl::StatusOr<int> ParseSignal(absl::string_view text);

}  // namespace strata::dockerfile
