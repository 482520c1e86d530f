#include "services/builder/rpc/build_stream.h"

namespace strata::rpc {

bool BuildStream::Read(builder::v1::BuildRequest& request) {
  {
    MutexLock lock(mutex_);
    while (!has_message_ && !no_more_messages_) changed_.Wait(mutex_);
    if (!has_message_) return false;
    has_message_ = false;
    request.Swap(&incoming_);
  }
  StartRead(&incoming_);
  return true;
}

absl::Status BuildStream::Write(const builder::v1::BuildResponse& response) {
  {
    MutexLock lock(mutex_);
    while (is_writing_ && !is_broken_) changed_.Wait(mutex_);
    if (is_broken_) return absl::CancelledError("the client went away");
    is_writing_ = true;
  }
  StartWrite(&response);
  // The message is borrowed until OnWriteDone.
  MutexLock lock(mutex_);
  while (is_writing_) changed_.Wait(mutex_);
  return is_broken_ ? absl::CancelledError("the client went away") : absl::OkStatus();
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
  is_writing_ = false;
  if (!ok) is_broken_ = true;
  changed_.SignalAll();
}

void BuildStream::OnDone() {
  MutexLock lock(mutex_);
  is_done_ = true;
  changed_.SignalAll();
}

}  // namespace strata::rpc
