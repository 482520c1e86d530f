#include "services/builder/rpc/stream_progress.h"

#include <string>
#include <utility>

#include "services/builder/rpc/utf8.h"

namespace strata::rpc {

namespace {

constexpr size_t kMaxLogBytes = 512 * 1024;
const absl::Duration kBytesInterval = absl::Milliseconds(200);

void SetTime(absl::Time time, google::protobuf::Timestamp& out) {
  const timespec spec = absl::ToTimespec(time);
  out.set_seconds(spec.tv_sec);
  out.set_nanos(static_cast<int32_t>(spec.tv_nsec));
}

builder::v1::StepState ToProto(progress::StepState state) {
  switch (state) {
    case progress::StepState::kWaiting: return builder::v1::STEP_STATE_WAITING;
    case progress::StepState::kRunning: return builder::v1::STEP_STATE_RUNNING;
    case progress::StepState::kDone: return builder::v1::STEP_STATE_DONE;
    case progress::StepState::kCached: return builder::v1::STEP_STATE_CACHED;
    case progress::StepState::kFailed: return builder::v1::STEP_STATE_FAILED;
    case progress::StepState::kCancelled: return builder::v1::STEP_STATE_CANCELLED;
  }
  return builder::v1::STEP_STATE_UNSPECIFIED;
}

}  // namespace

uint32_t StreamProgress::AddStep(absl::string_view name) {
  builder::v1::BuildResponse response;
  auto& step = *response.mutable_progress()->add_steps();
  step.set_name(ToUtf8(name));
  step.set_state(builder::v1::STEP_STATE_WAITING);
  {
    MutexLock lock(mutex_);
    step.set_id(static_cast<uint32_t>(steps_.size()) + 1);
    steps_[step.id()].name = step.name();
  }
  Send(response);
  return step.id();
}

void StreamProgress::SetState(uint32_t id, progress::StepState state, absl::string_view error) {
  const absl::Time now = clock_.Now();
  builder::v1::BuildResponse response;
  auto& step = *response.mutable_progress()->add_steps();
  step.set_id(id);
  step.set_state(ToProto(state));
  step.set_error(ToUtf8(error));
  const bool has_ended = state != progress::StepState::kWaiting && state != progress::StepState::kRunning;
  {
    MutexLock lock(mutex_);
    StepInfo& info = steps_[id];
    if (info.started == absl::InfinitePast()) info.started = now;
    step.set_name(info.name);
    SetTime(info.started, *step.mutable_started());
  }
  if (has_ended) SetTime(now, *step.mutable_ended());
  Send(response);
}

void StreamProgress::Log(uint32_t step, int stream, absl::string_view data) {
  while (!data.empty()) {
    const absl::string_view piece = data.substr(0, kMaxLogBytes);
    data.remove_prefix(piece.size());
    builder::v1::BuildResponse response;
    auto& log = *response.mutable_progress()->add_logs();
    log.set_step_id(step);
    log.set_stream(stream);
    log.set_data(piece.data(), piece.size());
    Send(response);
  }
}

void StreamProgress::Bytes(uint32_t step, absl::string_view what, int64_t current_bytes, int64_t total_bytes) {
  const absl::Time now = clock_.Now();
  {
    MutexLock lock(mutex_);
    absl::Time& last = bytes_sent_.try_emplace({step, std::string(what)}, absl::InfinitePast()).first->second;
    const bool is_final = total_bytes > 0 && current_bytes >= total_bytes;
    if (!is_final && now - last < kBytesInterval) return;
    last = now;
  }
  builder::v1::BuildResponse response;
  auto& bytes = *response.mutable_progress()->add_bytes();
  bytes.set_step_id(step);
  bytes.set_what(ToUtf8(what));
  bytes.set_current_bytes(current_bytes);
  bytes.set_total_bytes(total_bytes);
  Send(response);
}

void StreamProgress::Warn(absl::string_view rule, absl::string_view message, absl::string_view file, int line) {
  builder::v1::BuildResponse response;
  auto& warning = *response.mutable_progress()->add_warnings();
  warning.set_rule(std::string(rule));
  warning.set_message(ToUtf8(message));
  warning.set_file(ToUtf8(file));
  warning.set_first_line(line);
  Send(response);
}

}  // namespace strata::rpc
