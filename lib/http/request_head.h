// The head of a request: finding where it ends, and parsing it strictly. Spec: RFC 9112 sections 2 to 7.
//
// What two HTTP implementations could read differently is refused, because that is what request smuggling is made of: bare
// line feeds, folded lines, space before a colon, several or malformed lengths, a length together with a transfer coding.
// Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/http/headers.h"
#include "lib/http/url.h"

namespace strata::http {

struct RequestHead {
  std::string method;
  std::string target;
  std::string path;
  std::string raw_query;
  QueryParameters query;
  Headers headers;
  int minor_version = 1;                       // HTTP/1.0 or 1.1 (higher minors count as 1)
  std::optional<uint64_t> content_length = 0;  // nullopt: chunked
  bool keep_alive = true;
  bool expects_continue = false;
};

// How many header fields one request may have.
inline constexpr size_t kMaxHeaderFields = 128;

// The length of the head at the start of `buffer`, its blank line included; nullopt while it is incomplete. Looks only at what
// follows `scanned` bytes that an earlier call has seen. An empty line before the request line is not skipped.
std::optional<size_t> FindHeadEnd(absl::string_view buffer, size_t scanned);

// Parses a complete head as delimited by FindHeadEnd().
// kInvalidArgument: malformed (400). kUnimplemented: an unknown transfer coding (501). kFailedPrecondition: not HTTP/1 (505).
absl::StatusOr<RequestHead> ParseRequestHead(absl::string_view head);

// The status code with which a failed ParseRequestHead() is answered.
int HttpStatusOfHeadError(const absl::Status& status);

}  // namespace strata::http
