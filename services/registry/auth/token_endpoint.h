// /token: tokens for who proves to be somebody, and anonymous ones for public repositories.
//
//   GET   ?service=&scope=&scope=&account=&client_id=&offline_token=   with Basic, a client certificate, or nothing
//   POST  grant_type=password | refresh_token | urn:ietf:params:oauth:grant-type:token-exchange (RFC 8693), scope=, access_type=
//
// Granted is what the policy allows of what was asked for; less than that is no error. Spec: distribution, "Token Authentication" and
// "OAuth2 Token Authentication"; RFC 6749.
#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "lib/base/call_context.h"
#include "lib/http/request.h"
#include "lib/http/response.h"
#include "services/registry/auth/authenticator.h"

namespace strata::registry {

inline constexpr size_t kMaxTokenFormBytes = 64 * 1024;
inline constexpr absl::Duration kLeastTokenLifetime = absl::Seconds(60);  // shorter, and old clients take it for this

struct TokenLifetimes {
  absl::Duration access = absl::Minutes(5);
  absl::Duration refresh = absl::Hours(30 * 24);
};

// Errors of GET are statuses for the router. Errors of POST are answered here, as RFC 6749 section 5.2 has them, and returned as well.
absl::Status ServeTokenRequest(const CallContext& context, const http::Request& request, http::ResponseWriter& response,
                               Authenticator& authenticator, const AccessFacts& facts, const TokenLifetimes& lifetimes);

}  // namespace strata::registry
