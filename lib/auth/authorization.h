// The Authorization header field. Spec: RFC 9110 section 11.6.2, RFC 7617 (Basic), RFC 6750 (Bearer).
#pragma once

#include <string>
#include <variant>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace strata::auth {

inline constexpr size_t kMaxAuthorizationBytes = 24 * 1024;

struct BasicCredentials {
  std::string user;
  std::string password;
};

struct BearerToken {
  std::string token;
};

using Authorization = std::variant<BasicCredentials, BearerToken>;

// kInvalidArgument: neither Basic nor Bearer, malformed, or too long. Messages never quote the value.
absl::StatusOr<Authorization> ParseAuthorization(absl::string_view value);

}  // namespace strata::auth
