// What a build tells the person who waits for it. Thread-safe; calls never block on the receiver for long.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace strata::progress {

enum class StepState { kWaiting, kRunning, kDone, kCached, kFailed, kCancelled };

class Progress {
 public:
  virtual ~Progress() = default;
  // Announces a step, waiting; returns its id, unique within the build.
  virtual uint32_t AddStep(absl::string_view name) = 0;
  // `error` belongs to kFailed.
  virtual void SetState(uint32_t step, StepState state, absl::string_view error = "") = 0;
  // 1 = standard output, 2 = standard error. Nothing is dropped.
  virtual void Log(uint32_t step, int stream, absl::string_view data) = 0;
  // "transferring context", 3 MB of 10 MB (0: unknown). Intermediate values may be dropped.
  virtual void Bytes(uint32_t step, absl::string_view what, int64_t current_bytes, int64_t total_bytes) = 0;
  virtual void Warn(absl::string_view rule, absl::string_view message, absl::string_view file, int line) = 0;
};

class NullProgress final : public Progress {
 public:
  uint32_t AddStep(absl::string_view) override { return 0; }
  void SetState(uint32_t, StepState, absl::string_view) override {}
  void Log(uint32_t, int, absl::string_view) override {}
  void Bytes(uint32_t, absl::string_view, int64_t, int64_t) override {}
  void Warn(absl::string_view, absl::string_view, absl::string_view, int) override {}
};

}  // namespace strata::progress
