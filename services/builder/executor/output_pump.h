// Moves a sandbox's output to the caller until the sandbox ended, was cancelled or ran out of time.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/builder/executor/executor.h"
#include "services/builder/executor/sandbox_process.h"

namespace strata::executor {

struct PumpResult {
  bool timed_out = false;     // the process was killed because `deadline` passed
  std::string error_head;     // the first kilobyte of standard error
  bool error_is_whole = true; // error_head is all of it
};

// Blocks until the process ended and all its output was given to `output`, in this thread. Past `deadline` the process is killed.
absl::StatusOr<PumpResult> PumpOutput(const SandboxProcess& process, absl::Time deadline, const OutputSink& output);

}  // namespace strata::executor
