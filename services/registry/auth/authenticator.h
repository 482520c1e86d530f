// From what a caller shows to who it is: a user and password, a token of ours, a token of an outside issuer, a certificate.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/auth/password_checker.h"
#include "lib/auth/policy.h"
#include "lib/auth/token.h"
#include "lib/base/call_context.h"
#include "lib/base/clock.h"
#include "lib/http/request.h"
#include "services/registry/auth/access_files.h"
#include "services/registry/auth/issuer_keys.h"

namespace strata::registry {

// Thread-safe. Every function may block: passwords are hashed, keys are fetched.
// kUnauthenticated: what was shown proves nothing. kPermissionDenied: it proves who somebody is to whom nothing is granted at all.
// kResourceExhausted: too many wrong attempts. kUnavailable: the issuer's keys cannot be had.
class Authenticator {
 public:
  // `clock` outlives this object.
  Authenticator(const Clock& clock, auth::TokenNames names, const auth::PasswordCheckerOptions& passwords);

  // A token of ours, which limits what the caller may do, or one of an outside issuer.
  absl::StatusOr<auth::Caller> FromBearer(const CallContext& context, const AccessFacts& facts, absl::string_view token);
  // The same for tokens of outside issuers alone.
  absl::StatusOr<auth::Principal> FromOutsideToken(const CallContext& context, const AccessFacts& facts, absl::string_view token);
  // A password of the htpasswd file; or, as the password, a token of an outside issuer (`docker login -u oidc -p TOKEN`).
  absl::StatusOr<auth::Principal> FromPassword(const CallContext& context, const AccessFacts& facts, const std::string& peer,
                                               const std::string& user, const std::string& password);
  // kUnauthenticated also when the user's password is another one by now.
  absl::StatusOr<auth::Principal> FromRefreshToken(const AccessFacts& facts, absl::string_view token) const;

  const auth::TokenNames& names() const { return names_; }
  absl::Time Now() const { return clock_.Now(); }

 private:
  absl::StatusOr<auth::Principal> FromOutside(const CallContext& context, const AccessFacts& facts, const auth::Jwt& token);

  const Clock& clock_;
  const auth::TokenNames names_;
  auth::PasswordChecker passwords_;
  IssuerKeys issuer_keys_;
};

// Whom the client's certificate names; nobody in particular without one.
auth::Principal FromCertificate(const http::Request& request);

// "10.0.0.1" of "10.0.0.1:40312".
std::string AddressOf(absl::string_view peer);

}  // namespace strata::registry
