// The streams of ImageService as the domain sees them: sources, sinks and reports. Each lives as long as its call.
#pragma once

#include <algorithm>
#include <cstring>
#include <map>
#include <string>

#include <grpcpp/grpcpp.h>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "lib/bytes/byte_stream.h"
#include "lib/digest/digest.h"
#include "lib/rpc/channel.h"
#include "proto/strata/builder/v1/image.grpc.pb.h"

namespace strata::rpc {

// The `data` of a client's messages, one after another, read by the thread that asks. A client that vanishes shows as a cancelled
// call, not as the end of its content.
template <typename Request>
class RequestSource final : public ByteSource {
 public:
  // Both must outlive this object.
  RequestSource(grpc::ServerReader<Request>& reader, const grpc::ServerContext& server) : reader_(reader), server_(server) {}

  absl::StatusOr<size_t> Read(char* buffer, size_t size) override {
    while (rest_.empty()) {
      if (!reader_.Read(&request_)) return End();
      rest_ = request_.data();
    }
    const size_t n = std::min(size, rest_.size());
    std::memcpy(buffer, rest_.data(), n);
    rest_.remove_prefix(n);
    return n;
  }

 private:
  absl::StatusOr<size_t> End() {
    if (server_.IsCancelled()) return absl::CancelledError("the client went away in the middle of its content");
    return size_t{0};
  }

  grpc::ServerReader<Request>& reader_;
  const grpc::ServerContext& server_;
  Request request_;
  absl::string_view rest_;  // of request_
};

// Collects what is written into messages of at most kContentMessageBytes.
class ResponseSink final : public ByteSink {
 public:
  // `writer` must outlive this object.
  explicit ResponseSink(grpc::ServerWriter<builder::v1::SaveImagesResponse>& writer) : writer_(writer) {}

  absl::Status Write(absl::string_view data) override;
  // Sends what is left.
  absl::Status Finish();

 private:
  grpc::ServerWriter<builder::v1::SaveImagesResponse>& writer_;
  builder::v1::SaveImagesResponse response_;
};

// Progress of a transfer: changes of state at once, byte counts of one blob at most five times a second. Thread-safe.
class TransferReporter {
 public:
  // Both must outlive this object.
  TransferReporter(grpc::ServerWriter<builder::v1::TransferProgress>& writer, const Clock& clock) : writer_(writer), clock_(clock) {}

  void Report(const Digest& digest, absl::string_view status, int64_t current_bytes, int64_t total_bytes);
  void SendResult(const Digest& digest, const std::string& name);

 private:
  struct Last {
    std::string status;
    absl::Time sent = absl::InfinitePast();
  };
  // Whether the client is gone shows in the call's cancellation.
  void Send(const builder::v1::TransferProgress& progress) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { writer_.Write(progress); }

  Mutex mutex_;  // held while writing: a synchronous stream takes one writer at a time, and a slow client is to slow the transfer down
  grpc::ServerWriter<builder::v1::TransferProgress>& writer_ ABSL_GUARDED_BY(mutex_);
  const Clock& clock_;
  std::map<Digest, Last> last_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace strata::rpc
