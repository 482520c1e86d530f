// One HTTP request as a handler sees it: the head is complete and validated, the body is still on its way.
// Spec: RFC 9110, RFC 9112.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "lib/bytes/byte_stream.h"
#include "lib/http/headers.h"
#include "lib/http/peer_certificate.h"
#include "lib/http/url.h"

namespace strata::http {

// The body of a request; see Request::body.
class BodySource : public ByteSource {
 public:
  // As Read(), into `file` at `offset_bytes`: moves 1 to `limit_bytes` bytes there and returns how many; 0 means the end. Where the
  // connection allows it they never pass through user space. When the client fails after some bytes have moved, they are returned,
  // and the error by the next call. An error of the file has the code of its errno and leaves the body unusable.
  virtual absl::StatusOr<uint64_t> MoveToFile(int file, uint64_t offset_bytes, uint64_t limit_bytes) = 0;
};

// Used by the handler's thread only, valid until the handler returns.
struct Request {
  explicit Request(BodySource& body) : body(body) {}

  std::string method;     // as sent: "GET"; a token
  std::string target;     // as sent: "/v2/a%2Fb?x=1"
  std::string path;       // percent-decoded once: "/v2/a/b"; begins with "/", no control characters ("*" for "OPTIONS *")
  std::string raw_query;  // as sent, without "?"
  QueryParameters query;
  Headers headers;
  std::string peer;  // "127.0.0.1:40312", "[::1]:40312" or "unix"
  bool is_encrypted = false;                          // it came over TLS
  const PeerCertificate* certificate = nullptr;       // of the client, verified; null: it showed none
  // As declared by the client; nullopt for a chunked body. 0 when there is no body.
  std::optional<uint64_t> content_length;

  // Reads the body, at its end 0. Blocks; a client that makes no progress fails it with kDeadlineExceeded, one that goes
  // away or breaks the chunk framing with kUnavailable or kInvalidArgument. The first read answers "Expect: 100-continue".
  // Nothing here limits the size: a handler that stores what it reads sets its own limit.
  // Whatever the handler leaves unread is skipped up to 64 KiB; beyond that the connection is closed after the response.
  BodySource& body;

  bool has_body() const { return !content_length.has_value() || *content_length > 0; }
};

}  // namespace strata::http
