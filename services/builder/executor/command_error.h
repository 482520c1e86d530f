// Tells "the command could not be started" from "the command ran and failed", by what the runtime said. Pure.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace strata::executor {

// OK: the command ran, whatever its exit code. kInvalidArgument: `command` is missing or cannot be executed. kInternal: the runtime
// itself failed. `runtime_error` is the last error of the runtime's log; `error_output` is all of standard error, when it is short.
absl::Status CommandError(absl::string_view command, int exit_code, absl::string_view runtime_error, absl::string_view error_output);

}  // namespace strata::executor
