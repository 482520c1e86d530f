// The ResponseWriter of a real connection: message framing, keep-alive, the rules of HEAD. Spec: RFC 9112.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "lib/http/blocking_stream.h"
#include "lib/http/request_body.h"
#include "lib/http/response.h"

namespace strata::http {

class SocketResponse final : public ResponseWriter, private ByteSink {
 public:
  struct Exchange {
    bool is_head = false;         // the request was HEAD
    int minor_version = 1;        // of the client
    bool keep_alive = true;       // what client and server would both like
  };
  // `stream` and `body` must outlive this object.
  SocketResponse(BlockingStream& stream, const RequestBody& body, Exchange exchange)
      : stream_(stream), request_body_(body), exchange_(exchange) {}

  absl::Status SendEmpty() override;
  absl::Status SendBytes(absl::string_view body) override;
  absl::Status SendFile(int fd, uint64_t offset, uint64_t length) override;
  absl::StatusOr<ByteSink*> StartStream(std::optional<uint64_t> content_length) override;
  absl::Status Finish() override;
  absl::Status StreamFile(int fd, uint64_t offset, uint64_t length) override;
  void CloseAfterwards() override { exchange_.keep_alive = false; }
  bool head_sent() const override { return state_ != State::kNothingSent; }
  uint64_t body_bytes_sent() const override { return body_bytes_sent_; }

  // The client got a complete response and expects the connection to stay.
  bool may_keep_alive() const { return state_ == State::kComplete && exchange_.keep_alive; }

 private:
  // kNothingSent ──> kStreaming ──> kComplete         any ──(error)──> kFailed
  enum class State { kNothingSent, kStreaming, kComplete, kFailed };
  enum class Framing { kNone, kLength, kChunked, kUntilClose };

  absl::Status Write(absl::string_view data) override;  // the sink of StartStream()
  absl::StatusOr<std::string> RenderHead(Framing framing, uint64_t content_length);
  absl::Status Send(absl::string_view head, absl::string_view body, bool more = false);
  absl::Status CheckStreamRoom(uint64_t size);
  absl::Status Fail(absl::Status status);
  bool SuppressesBody() const;

  BlockingStream& stream_;
  const RequestBody& request_body_;
  Exchange exchange_;
  State state_ = State::kNothingSent;
  Framing framing_ = Framing::kNone;
  uint64_t stream_left_ = 0;  // kLength: bytes still owed
  uint64_t body_bytes_sent_ = 0;
};

// How much of an unread request body is skipped to keep a connection.
inline constexpr uint64_t kMaxDiscardBytes = 64 * 1024;

}  // namespace strata::http
