// Sends a build's progress to its client: log lines and state changes at once and in order, byte counts a few times a second.
// Thread-safe.
#pragma once

#include <map>

#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "services/builder/progress/progress.h"
#include "services/builder/rpc/build_stream.h"

namespace strata::rpc {

class StreamProgress final : public progress::Progress {
 public:
  // Both must outlive this object.
  StreamProgress(BuildStream& stream, const Clock& clock) : stream_(stream), clock_(clock) {}

  uint32_t AddStep(absl::string_view name) override;
  void SetState(uint32_t step, progress::StepState state, absl::string_view error) override;
  void Log(uint32_t step, int stream, absl::string_view data) override;
  void Bytes(uint32_t step, absl::string_view what, int64_t current_bytes, int64_t total_bytes) override;
  void Warn(absl::string_view rule, absl::string_view message, absl::string_view file, int line) override;

 private:
  struct StepInfo {
    std::string name;
    absl::Time started = absl::InfinitePast();
  };
  // A client that is gone shows in the build's cancellation; nothing is to be done about it here.
  void Send(const builder::v1::BuildResponse& response) { stream_.Write(response).IgnoreError(); }

  BuildStream& stream_;
  const Clock& clock_;
  Mutex mutex_;
  std::map<uint32_t, StepInfo> steps_ ABSL_GUARDED_BY(mutex_);
  std::map<std::pair<uint32_t, std::string>, absl::Time> bytes_sent_ ABSL_GUARDED_BY(mutex_);  // when, by step and what
};

}  // namespace strata::rpc
