#include "services/builder/rpc/build_stream.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace strata::rpc {

bool BuildStream::Read(builder::v1::BuildRequest& request, absl::Duration limit) {
  const absl::Time until = absl::Now() + limit;
  {
    MutexLock lock(mutex_);
    while (!has_message_ && !no_more_messages_ && !has_ended_ && absl::Now() < until) {
      changed_.WaitFor(mutex_, std::min(until - absl::Now(), absl::Hours(1)));
    }
    if (!has_message_ || has_ended_) return false;
    has_message_ = false;
    request.Swap(&incoming_);
    is_starting_read_ = true;
  }
  StartRead(&incoming_);
  MutexLock lock(mutex_);
  is_starting_read_ = false;
  changed_.SignalAll();
  return true;
}

absl::Status BuildStream::Write(const builder::v1::BuildResponse& response) {
  {
    MutexLock lock(mutex_);
    while (is_writing_ && !is_broken_ && !has_ended_) changed_.Wait(mutex_);
    if (is_broken_ || has_ended_) return Gone();
    is_writing_ = true;
    is_at_grpc_ = true;
  }
  StartWrite(&response);
  // The message is borrowed until OnWriteDone, so there is no leaving before; a client that does not read is cut off instead.
  const bool is_stalled = !AwaitWrite(absl::Now() + options_.write_limit);
  if (is_stalled) {
    server_context_.TryCancel();
    AwaitWrite(absl::InfiniteFuture());
  }
  MutexLock lock(mutex_);
  is_writing_ = false;
  is_stalled_ = is_stalled_ || is_stalled;
  changed_.SignalAll();
  return is_broken_ ? Gone() : absl::OkStatus();
}

bool BuildStream::AwaitWrite(absl::Time until) {
  MutexLock lock(mutex_);
  while (is_at_grpc_) {
    const absl::Duration left = std::min(until - absl::Now(), absl::Hours(1));
    if (left <= absl::ZeroDuration()) return false;
    changed_.WaitFor(mutex_, left);
  }
  return true;
}

absl::Status BuildStream::Gone() const {
  if (is_stalled_) {
    return absl::CancelledError(absl::StrCat("the client did not read for ", absl::FormatDuration(options_.write_limit)));
  }
  return absl::CancelledError("the client went away");
}

void BuildStream::End(const grpc::Status& status) {
  {
    MutexLock lock(mutex_);
    has_ended_ = true;
    changed_.SignalAll();
    while (is_writing_ || is_starting_read_) changed_.Wait(mutex_);
  }
  Finish(status);
}

void BuildStream::WaitUntilDone() {
  MutexLock lock(mutex_);
  while (!is_done_) changed_.Wait(mutex_);
}

void BuildStream::OnReadDone(bool ok) {
  MutexLock lock(mutex_);
  has_message_ = ok;
  no_more_messages_ = !ok;
  changed_.SignalAll();
}

void BuildStream::OnWriteDone(bool ok) {
  MutexLock lock(mutex_);
  is_at_grpc_ = false;
  if (!ok) is_broken_ = true;
  changed_.SignalAll();
}

void BuildStream::OnDone() {
  MutexLock lock(mutex_);
  is_done_ = true;
  changed_.SignalAll();
}

}  // namespace strata::rpc
