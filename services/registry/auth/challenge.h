// What a 401 answer asks for. Spec: RFC 9110 section 11.6.1; distribution, "Token Authentication".
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "lib/auth/scope.h"
#include "lib/http/request.h"

namespace strata::registry {

// `Basic realm="service"`
std::string BasicChallenge(absl::string_view service);
// `Bearer realm="https://host/token",service="...",scope="...",error="..."`; the last two only when they are not empty.
std::string BearerChallenge(absl::string_view realm, absl::string_view service, const std::vector<auth::Scope>& scopes,
                            absl::string_view error);

// Where clients reach the token endpoint: below `public_url` when that is set, else at the host that the request names. "" when it
// names none that could stand in a URL.
std::string TokenRealm(const std::string& public_url, const http::Request& request);

}  // namespace strata::registry
