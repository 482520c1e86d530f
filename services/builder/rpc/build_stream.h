// One Build stream as blocking code sees it: Read and Write that wait, over gRPC's callback reactor, whose methods must not.
//
// A reactor, not a synchronous handler, because a build that fails must answer although its reader still waits for the client:
//
//   OnReadDone -> slot_ -> Read() (reader thread) -> StartRead …      one message in flight each way: the client is throttled, not
//   Write() (any thread) -> StartWrite -> OnWriteDone -> next Write   buffered
//   OnCancel -> cancellation() -> the build stops
//   End(status) -> Finish -> OnReadDone(false), OnDone -> WaitUntilDone() returns; then the owner deletes this object
//
// gRPC frees its half of the stream at OnDone, so nothing may be started after Finish: once End was called, Read and Write fail.
// Thread-safe; Read by one thread only.
#pragma once

#include <grpcpp/grpcpp.h>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "lib/base/cancellation.h"
#include "lib/base/mutex.h"
#include "proto/strata/builder/v1/build.grpc.pb.h"

namespace strata::rpc {

class BuildStream final : public grpc::ServerBidiReactor<builder::v1::BuildRequest, builder::v1::BuildResponse> {
 public:
  struct Options {
    // A client that takes nothing for so long is cut off: what a step prints has nowhere to go, so the step stands still.
    absl::Duration write_limit = absl::Minutes(10);
    // What comes first is small and needs no work, so a client that does not send it is none.
    absl::Duration start_limit = absl::Minutes(1);
  };

  // `server_context` outlives the stream: it is gRPC's until OnDone.
  BuildStream(grpc::CallbackServerContext& server_context, const Options& options) : server_context_(server_context), options_(options) {
    StartRead(&incoming_);
  }

  // Waits for the next message. False: the client has no more, or is gone, or the stream ended, or none came in time.
  bool Read(builder::v1::BuildRequest& request, absl::Duration limit = absl::InfiniteDuration());
  // kCancelled: the client is gone or does not read, or the stream ended.
  absl::Status Write(const builder::v1::BuildResponse& response);
  // Sends the status, after a write that is under way. Call it once.
  void End(const grpc::Status& status);
  // Until gRPC has let go of this object.
  void WaitUntilDone();
  // Fires when the client goes away.
  Cancellation& cancellation() { return cancellation_; }

 private:
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override { cancellation_.Cancel(); }
  void OnDone() override;
  // Waits until gRPC gave the message back; false when that lasts too long.
  bool AwaitWrite(absl::Time until);
  // Why a write failed.
  absl::Status Gone() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  grpc::CallbackServerContext& server_context_;
  const Options options_;
  Cancellation cancellation_;
  builder::v1::BuildRequest incoming_;  // gRPC's between StartRead and OnReadDone, then Read's
  Mutex mutex_;
  CondVar changed_;
  bool has_message_ ABSL_GUARDED_BY(mutex_) = false;
  bool no_more_messages_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_starting_read_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_writing_ ABSL_GUARDED_BY(mutex_) = false;   // somebody is in Write, and gRPC may be called
  bool is_at_grpc_ ABSL_GUARDED_BY(mutex_) = false;   // between StartWrite and OnWriteDone
  bool is_stalled_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_broken_ ABSL_GUARDED_BY(mutex_) = false;
  bool has_ended_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_done_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace strata::rpc
