// One Build stream as blocking code sees it: Read and Write that wait, over gRPC's callback reactor, whose methods must not.
//
// A reactor, not a synchronous handler, because a build that fails must answer although its reader still waits for the client:
//
//   OnReadDone -> slot_ -> Read() (reader thread) -> StartRead …      one message in flight each way: the client is throttled, not
//   Write() (any thread) -> StartWrite -> OnWriteDone -> next Write   buffered
//   OnCancel -> cancellation() -> the build stops
//   End(status) -> Finish -> OnReadDone(false), OnDone -> WaitUntilDone() returns; then the owner deletes this object
//
// Thread-safe; Read by one thread only.
#pragma once

#include <grpcpp/grpcpp.h>

#include "absl/status/status.h"
#include "lib/base/cancellation.h"
#include "lib/base/mutex.h"
#include "proto/strata/builder/v1/build.grpc.pb.h"

namespace strata::rpc {

class BuildStream final : public grpc::ServerBidiReactor<builder::v1::BuildRequest, builder::v1::BuildResponse> {
 public:
  BuildStream() { StartRead(&incoming_); }

  // Waits for the next message. False: the client has no more, or is gone, or the stream ended.
  bool Read(builder::v1::BuildRequest& request);
  // kCancelled: the client is gone, or the stream ended.
  absl::Status Write(const builder::v1::BuildResponse& response);
  // Sends the status. No Write may be under way or follow.
  void End(const grpc::Status& status) { Finish(status); }
  // Until gRPC has let go of this object.
  void WaitUntilDone();
  // Fires when the client goes away.
  Cancellation& cancellation() { return cancellation_; }

 private:
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override { cancellation_.Cancel(); }
  void OnDone() override;

  Cancellation cancellation_;
  builder::v1::BuildRequest incoming_;  // gRPC's between StartRead and OnReadDone, then Read's
  Mutex mutex_;
  CondVar changed_;
  bool has_message_ ABSL_GUARDED_BY(mutex_) = false;
  bool no_more_messages_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_broken_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_done_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace strata::rpc
