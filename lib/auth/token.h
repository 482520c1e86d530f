// The tokens that we issue: access tokens, which say who and what for an hour at most, and refresh tokens, which buy new ones.
//
// Both are JWTs signed by the newest of our keys. They differ in their audience, so that neither passes for the other:
//   access   iss, aud = the service, sub = "user:alice", iat, nbf, exp, jti, access = [{type, name, actions}]
//   refresh  iss, aud = "refresh " + the service, sub, iat, nbf, exp, jti, password = a fingerprint of the user's hash
// A refresh token dies with its time, with its user's password, by `revoke` in the policy, and with the key that signed it.
// Nothing is stored. Spec: distribution, "Docker Registry v2 Bearer token specification".
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/auth/jwt.h"
#include "lib/auth/key.h"
#include "lib/auth/policy.h"
#include "lib/auth/principal.h"
#include "lib/auth/scope.h"

namespace strata::auth {

// Keys of ours: the last one signs, all verify.
struct TokenKeys {
  std::vector<SigningKey> signing;
  KeySet verifying;  // the public parts of `signing`, and keys without private part
};

struct TokenNames {
  std::string issuer;
  std::string service;
};

struct IssuedToken {
  std::string text;
  absl::Time issued;
  absl::Duration lifetime;
};

// kFailedPrecondition: there is no key to sign with.
absl::StatusOr<IssuedToken> IssueAccessToken(const TokenKeys& keys, const TokenNames& names, const Principal& principal,
                                             const std::vector<Scope>& scopes, absl::Time now, absl::Duration lifetime);
absl::StatusOr<IssuedToken> IssueRefreshToken(const TokenKeys& keys, const TokenNames& names, const Principal& principal,
                                              absl::string_view password_hash, absl::Time now, absl::Duration lifetime);

// kUnauthenticated: see VerifyJwt(), or revoked. kInvalidArgument: its claims make no sense.
absl::StatusOr<Caller> ReadAccessToken(const Jwt& token, const TokenKeys& keys, const TokenNames& names, const Policy& policy,
                                       absl::Time now);

struct RefreshClaims {
  Principal principal;
  std::string password_fingerprint;
};
absl::StatusOr<RefreshClaims> ReadRefreshToken(const Jwt& token, const TokenKeys& keys, const TokenNames& names, const Policy& policy,
                                               absl::Time now);

// Says nothing about the hash to somebody who has not got it.
std::string PasswordFingerprint(absl::string_view password_hash);

}  // namespace strata::auth
