// From "ready" to the end of a process: waits for SIGTERM or SIGINT, then drains.
//
//   main thread   PrepareSignals() ─ start everything ─ Run(): ready ─ wait ──signal──► not ready ─ drain ──► return 0
//                                                                                        └─ second signal, or limit + 5 s
//                                                                                           passed: _exit(1)
#pragma once

#include <functional>
#include <string>

#include "absl/time/time.h"
#include "lib/service/readiness.h"

namespace strata::service {

// Call first in main, before any thread starts: threads inherit that SIGTERM and SIGINT wait for Run(), and SIGPIPE is ignored.
void PrepareSignals();

struct RunOptions {
  std::string name;                                // "strata-store", for log lines
  absl::Duration drain_limit = absl::Seconds(30);  // given to `drain`, which keeps to it
};

// Marks the process ready and blocks until a signal was handled. `drain` stops taking work and waits for what runs, at most as
// long as it is told. Returns the exit code.
int Run(const RunOptions& options, Readiness& readiness, const std::function<void(absl::Duration)>& drain);

}  // namespace strata::service
