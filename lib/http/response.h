// ResponseWriter: how a handler answers. Set status and headers, then call exactly one of the Send functions, or StartStream()
// followed by Finish().
//
// For HEAD requests handlers do the same as for GET: length headers go out, body bytes are dropped here. Statuses 1xx, 204 and
// 304 never carry a body. A handler that returns without answering gives a 500; one that returns after the head was sent
// but before the body was complete gives a closed connection, so that the client sees the truncation.
// Errors say that the client went away (kUnavailable) or stopped taking bytes (kDeadlineExceeded): stop, nobody is listening.
// Used by the handler's thread only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/bytes/byte_stream.h"
#include "lib/http/headers.h"

namespace strata::http {

class ResponseWriter {
 public:
  virtual ~ResponseWriter() = default;

  // 200 unless set. Without effect once the head was sent, as are changes of headers().
  void SetStatus(int status) { status_ = status; }
  int status() const { return status_; }
  // Content-Length, Transfer-Encoding, Connection and Date are written by the server; do not set them. (Content-Length may be
  // set for a HEAD answer or a 304 that is sent by SendEmpty().)
  Headers& headers() { return headers_; }
  const Headers& headers() const { return headers_; }

  // A response without content.
  virtual absl::Status SendEmpty() = 0;
  // `body` with its length. Content-Type comes from headers().
  virtual absl::Status SendBytes(absl::string_view body) = 0;
  // The same with this Content-Type.
  absl::Status SendText(absl::string_view content_type, absl::string_view body) {
    headers_.Set("Content-Type", content_type);
    return SendBytes(body);
  }
  // `length` bytes of `fd` from `offset`; the file must not shrink meanwhile. `fd` stays the caller's.
  virtual absl::Status SendFile(int fd, uint64_t offset, uint64_t length) = 0;
  // Sends the head; the body goes through the sink, which lives as long as this object. Chunked when the length is unknown (for
  // HTTP/1.0 clients: until the connection closes). Writing more than content_length fails with kInvalidArgument.
  virtual absl::StatusOr<ByteSink*> StartStream(std::optional<uint64_t> content_length = std::nullopt) = 0;
  // Marks a stream as complete; without it the client sees truncation. kFailedPrecondition: fewer bytes than declared.
  virtual absl::Status Finish() = 0;
  // As SendFile(), into the stream opened by StartStream(): for multi-part answers.
  virtual absl::Status StreamFile(int fd, uint64_t offset, uint64_t length) = 0;
  // Asks for the connection to be closed after this response.
  virtual void CloseAfterwards() = 0;

  virtual bool head_sent() const = 0;
  // Content bytes handed to the network so far, framing left out: for access logs.
  virtual uint64_t body_bytes_sent() const = 0;

 protected:
  int status_ = 200;
  Headers headers_;
};

// "Not Found" for 404; "Unknown" for what has no name.
absl::string_view ReasonPhrase(int status);

}  // namespace strata::http
