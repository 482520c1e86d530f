// An HTTP/1.1 server: asynchronous while connections are idle, blocking while they are busy. Spec: RFC 9112.
//
//    accept ──> [ idle: one io thread waits and collects the request head ] ──head complete──> bounded queue
//                       ^                                                                          │
//                       └── keep-alive, leftovers kept ── worker thread: parse, handler, response <┘
//
// An idle connection costs a descriptor and a few KB. A busy one occupies a worker thread, in which the handler runs plain
// blocking code. No deadline spans a request: a peer only has to keep moving (min_progress_*).
// Malformed requests are answered 400 (431: head too large, 408: head too slow, 501: unknown transfer coding) and closed; a
// request with both Content-Length and Transfer-Encoding is malformed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/http/request.h"
#include "lib/http/response.h"
#include "lib/http/tls_context.h"

namespace strata::http {

// Runs on a worker thread, many at a time. Must not throw.
using Handler = std::function<void(const Request&, ResponseWriter&)>;

struct ServerOptions {
  // "127.0.0.1:5000", "[::1]:5000", "0.0.0.0:0" (port 0: any free one) or "unix:/path/to/socket" (an old socket file there is
  // replaced; mode 0660).
  std::vector<std::string> listen = {"127.0.0.1:0"};
  // The same for connections that speak TLS; needs `tls`. One of the two lists may be empty.
  std::vector<std::string> tls_listen;
  std::shared_ptr<TlsServerContext> tls;  // shared with whoever reports when the certificate ends
  size_t max_connections = 10'000;      // further ones wait in the kernel's backlog
  size_t max_header_bytes = 16 * 1024;  // request line and headers together
  absl::Duration header_timeout = absl::Seconds(15);  // from the first byte of a request to the end of its head
  absl::Duration idle_timeout = absl::Minutes(2);     // between requests
  // Over the time spent waiting for a peer, at least min_progress_bytes must move in each min_progress_timeout.
  absl::Duration min_progress_timeout = absl::Seconds(30);
  uint64_t min_progress_bytes = 1024;
  size_t worker_threads = 64;  // the most; threads start when needed
};

// Thread-safe.
class Server {
 public:
  // Binds every address and serves. kInvalidArgument: a malformed address; kUnavailable, kPermissionDenied...: cannot listen
  // there; the message names the address.
  static absl::StatusOr<std::unique_ptr<Server>> Start(ServerOptions options, Handler handler);
  virtual ~Server() = default;  // as Shutdown(absl::ZeroDuration())

  // The port of the first TCP address; 0 when there is none.
  virtual uint16_t port() const = 0;
  // Every bound address, ports filled in.
  virtual std::vector<std::string> addresses() const = 0;
  virtual size_t connections() const = 0;

  // Stops listening, closes idle connections, lets running requests finish (their responses say "Connection: close") for at
  // most `drain`, then cuts the sockets of the rest and waits for their handlers to return. Blocks. May be called again.
  virtual void Shutdown(absl::Duration drain) = 0;
};

}  // namespace strata::http
