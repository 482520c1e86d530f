// The builder's side of one Build stream: messages out under a lock, messages in on a thread of their own.
//
// Lifetime: lives inside the RPC handler. The reader thread ends when the client half-closes or goes away; it cancels the build when
// the client went away. Thread-safe.
#pragma once

#include <grpcpp/grpcpp.h>

#include "absl/status/status.h"
#include "lib/base/mutex.h"
#include "proto/strata/builder/v1/build.grpc.pb.h"

namespace strata::rpc {

class BuildStream {
 public:
  using Raw = grpc::ServerReaderWriter<builder::v1::BuildResponse, builder::v1::BuildRequest>;

  explicit BuildStream(Raw& raw) : raw_(raw) {}

  // False: no more messages will come. One thread only.
  bool Read(builder::v1::BuildRequest& request) { return raw_.Read(&request); }

  // kCancelled: the client is gone.
  absl::Status Write(const builder::v1::BuildResponse& response) {
    MutexLock lock(mutex_);
    if (is_broken_ || !raw_.Write(response)) {
      is_broken_ = true;
      return absl::CancelledError("the client went away");
    }
    return absl::OkStatus();
  }

 private:
  Raw& raw_;
  Mutex mutex_;
  bool is_broken_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace strata::rpc
