// An HTTP client that streams both ways in bounded memory, over libcurl. Blocking calls; HTTP/1.1, TLS verified by default.
//
// One Client serves the whole program: it keeps connections to reuse. Thread-safe. Proxies are used only when configured here.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/call_context.h"
#include "lib/bytes/byte_stream.h"
#include "lib/http/headers.h"

namespace strata::http {

class SessionPool;
struct Url;

struct ClientOptions {
  absl::Duration connect_timeout = absl::Seconds(15);
  // Over the time spent waiting for the peer, at least min_progress_bytes must move in each min_progress_timeout. That includes
  // the wait for the response to begin.
  absl::Duration min_progress_timeout = absl::Seconds(60);
  uint64_t min_progress_bytes = 1024;
  bool verify_tls = true;
  std::string ca_file;     // PEM, used in place of the system's; empty: the system's
  std::string proxy;       // "http://host:port"; empty: none, whatever the environment says
  std::string user_agent = "strata";
  int max_redirects = 5;
  size_t max_idle_sessions = 32;  // connections kept for reuse
  // False: no connection to an address of our own networks (private_address.h), wherever a URL or a redirect leads. Looked at where
  // the connection is made, after the name was resolved. Not for use with a proxy, which resolves by itself.
  bool allow_private_addresses = true;
};

enum class RedirectPolicy {
  kReturn,          // 3xx answers are returned as they are
  kFollowSafely,    // GET and HEAD follow; never from https to http; Authorization and Cookie stay with their origin
};

struct ClientRequest {
  std::string method = "GET";
  std::string url;  // absolute, http or https
  Headers headers;
  // The content to send, read during Do() only; null: none. With an unknown size it is sent chunked.
  ByteSource* body = nullptr;
  std::optional<uint64_t> body_size;
  RedirectPolicy redirects = RedirectPolicy::kFollowSafely;
  std::optional<bool> verify_tls;     // in place of the client's option
  std::string ca_file;                // the same
};

struct ClientResponse {
  int status = 0;
  Headers headers;
  std::string url;  // where the answer came from, after redirects
  std::optional<uint64_t> content_length;
  // Never null. Reads pull from the network; a body cut short fails with kUnavailable. Destroy it to abandon the rest. Must not
  // outlive the Client nor the Cancellation of the call's context.
  std::unique_ptr<ByteSource> body;
};

class Client {
 public:
  explicit Client(ClientOptions options = {});
  ~Client();  // every response body must be gone
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Sends the request with all of its body and returns when the head of the final response is in. A response of any status,
  // 404 and 500 included, is a success here.
  // kInvalidArgument: malformed URL or headers. kUnavailable: cannot resolve, connect or keep the connection.
  // kDeadlineExceeded: connect or progress timeout, or the context's deadline. kCancelled: the context's cancellation.
  // kFailedPrecondition: the TLS certificate does not verify, or every address is a private one and those are not allowed.
  // kAborted: too many redirects, or one that may not be followed.
  // Errors of `body` come back annotated with their own code.
  absl::StatusOr<ClientResponse> Do(const CallContext& context, ClientRequest request);

 private:
  class ResponseBody;
  absl::StatusOr<ClientResponse> DoOnce(const CallContext& context, const ClientRequest& request, const Url& url);

  const ClientOptions options_;
  const std::unique_ptr<SessionPool> pool_;
};

}  // namespace strata::http
