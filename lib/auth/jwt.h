// JSON Web Tokens in compact form: signed statements about who somebody is. Spec: RFC 7519, RFC 7515, RFC 8725 (best practices).
//
//   text ──ParseJwt()──► Jwt: well-formed, believed by nobody ──VerifyJwt()──► OK: signed by a key we know, for us, now
//
// Refused whatever the keys are: alg "none" and HS*, headers that bring or name their own key (jwk, jku, x5u, x5c), critical
// extensions, a header or claim twice, padding in base64, more than kMaxJwtBytes.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/auth/key.h"

namespace strata::auth {

inline constexpr size_t kMaxJwtBytes = 16 * 1024;
inline constexpr absl::Duration kClockLeeway = absl::Seconds(30);

struct Jwt {
  std::string algorithm;
  std::string key_id;  // "" when the header has no kid
  std::string signing_input;
  std::string signature;
  std::string payload;  // the JSON object of all claims

  std::string issuer;
  std::string subject;
  std::vector<std::string> audiences;
  absl::Time expires;
  absl::Time not_before = absl::InfinitePast();
  std::optional<absl::Time> issued_at;

  // Every text, number and bool of the payload by its path: {"a":{"b":["x",1]}} is "a/b" twice, "x" and "1".
  // At most 512; more than that is refused.
  std::vector<std::pair<std::string, std::string>> claims;
};

// kInvalidArgument: malformed, or of a form that is always refused.
absl::StatusOr<Jwt> ParseJwt(absl::string_view text);

struct JwtExpectations {
  std::string issuer;
  std::string audience;
  absl::Time now;
};

// kUnauthenticated: an unknown key, a wrong signature, another issuer or audience, not yet or no longer valid; the message says which.
absl::Status VerifyJwt(const Jwt& token, const KeySet& keys, const JwtExpectations& expected);

// `payload` is a JSON object.
absl::StatusOr<std::string> SignJwt(const SigningKey& key, absl::string_view payload);

}  // namespace strata::auth
