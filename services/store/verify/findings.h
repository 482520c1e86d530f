// What verification tells while it runs.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace strata::store {

struct Finding {
  std::string what;     // "tag without manifest"
  std::string subject;  // which one
  std::string advice;   // what to do about it
};

struct VerifyProgress {
  std::string stage;    // "facts", "extents", "content"
  int64_t items = 0;
  int64_t total_items = 0;  // 0: not known
  int64_t bytes = 0;
  int64_t total_bytes = 0;
};

class VerifyObserver {
 public:
  virtual ~VerifyObserver() = default;
  // An error ends the verification and is returned. Called often: throttle what is costly.
  virtual absl::Status OnProgress(const VerifyProgress& progress) = 0;
  virtual absl::Status OnFinding(const Finding& finding) = 0;
};

}  // namespace strata::store
