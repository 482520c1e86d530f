// What the process returns: codes that a script can rely on. docs/operations/cli.md explains them to people.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace strata::cli {

enum class ExitCode : int {
  kOk = 0,
  kFailed = 1,             // the operation failed
  kUsage = 2,              // the command line, the environment or the configuration file is wrong
  kUnreachable = 3,        // the builder, the store, or a service behind it, cannot be reached
  kNotFound = 4,           // an image, a file or a folder does not exist
  kBuildFailed = 5,        // the Dockerfile, or a RUN in it, is to blame
  kDamaged = 6,            // a verification of a store found damage
  kInterrupted = 130,      // Ctrl-C or SIGTERM
};

// kInvalidArgument that exits with kUsage.
absl::Status UsageError(absl::string_view message);
// The same status, but the process exits with `code`. OK stays OK.
absl::Status WithExitCode(const absl::Status& status, ExitCode code);
// What was attached, else by code: kCancelled is kInterrupted, kUnavailable kUnreachable, kNotFound kNotFound, the rest kFailed.
ExitCode ExitCodeOf(const absl::Status& status);

}  // namespace strata::cli
