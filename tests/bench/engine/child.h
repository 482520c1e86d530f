// A measurement in a process of its own, so that memory, CPU and disk of one candidate are not mixed with another's.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace strata::bench {

using Measurements = std::vector<std::pair<std::string, double>>;  // in the order in which they were taken

// How the child tells. What was told stays told when the child dies.
class Teller {
 public:
  explicit Teller(int fd) : fd_(fd) {}
  void Tell(absl::string_view metric, double value) const;

 private:
  const int fd_;
};

// Runs `body` in a forked child and waits for it; appends what it told to `*told`. The child has one thread when it starts: call this
// while the calling process has no other.
// The body's error; kAborted when the child was killed by a signal.
absl::Status RunInChild(const std::function<absl::Status(const Teller&)>& body, Measurements* told);

// The last value told under this name; `otherwise` when there is none.
double Find(const Measurements& told, absl::string_view metric, double otherwise);

}  // namespace strata::bench
