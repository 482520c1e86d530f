// For tests/crash: a store that stands still at a commit point, so that it can be killed exactly there. testonly.
//
// The environment variable STRATA_STOP_AT names it: "upload.synced:3:FILE" is the third time that this point is reached, "any:20:FILE"
// the twentieth point of any name, counted from when FILE exists. The whole process stops (SIGSTOP); whoever waits for it sees that, may
// cut the power, and kills it.
// Linked into strata-store-stopping only.
#pragma once

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace strata::store {

// What EngineOptions::commit_point_for_test takes; empty when the variable is not set.
inline std::function<void(absl::string_view)> StopAtCommitPointForTest() {
  const char* variable = std::getenv("STRATA_STOP_AT");
  if (variable == nullptr) return nullptr;
  const std::vector<std::string> parts = absl::StrSplit(variable, ':');
  int count = 0;
  if (parts.size() != 3 || !absl::SimpleAtoi(parts[1], &count)) std::abort();
  return [name = parts[0], file = parts[2], left = std::make_shared<std::atomic<int>>(count)](absl::string_view point) {
    if (name != "any" && name != point) return;
    if (::access(file.c_str(), F_OK) != 0) return;
    if (--*left == 0) ::kill(::getpid(), SIGSTOP);
  };
}

}  // namespace strata::store
