// Outside issuers whose tokens are taken as proof of who somebody is: GitHub Actions, Kubernetes service accounts and the like.
//
// A JSON file that may hold // comments:
//   {"issuers": [{
//     "issuer": "https://token.actions.githubusercontent.com",       // equals the claim iss
//     "audience": "registry.example.com",                            // one of the claim aud
//     "jwks_url": "https://token.actions.githubusercontent.com/.well-known/jwks",  // or "jwks_file": "/etc/strata/k8s.json"
//     "ca_file": "/etc/strata/ca.pem",                               // optional: verifies the server of jwks_url
//     "allow_private_addresses": false,                              // optional: jwks_url may be in a private network
//     "identities": [{"name": "app-ci", "when": {"repository": "org/app", "sub": "repo:org/app:ref:refs/tags/*"}}]
//   }]}
// An identity holds when each condition does: the claim at that path ("kubernetes.io/namespace" walks into objects) has a value that
// matches the glob, in which "*" crosses every character. The first identity that holds is the caller: identity:app-ci.
// Immutable once parsed; thread-safe.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/auth/jwt.h"
#include "lib/auth/principal.h"

namespace strata::auth {

inline constexpr size_t kMaxIssuersBytes = 1024 * 1024;

struct ClaimCondition {
  std::string claim;
  std::string pattern;  // "*" is any run of characters, all else itself
};

struct IdentityRule {
  std::string name;
  std::vector<ClaimCondition> when;  // at least one
};

struct TrustedIssuer {
  std::string issuer;
  std::string audience;
  std::string jwks_url;   // one of the two is set
  std::string jwks_file;
  std::string ca_file;
  bool allow_private_addresses = false;
  std::vector<IdentityRule> identities;

  // Who holds a token of this issuer that verified. kPermissionDenied: no identity's conditions hold.
  absl::StatusOr<Principal> Identify(const Jwt& token) const;
};

using TrustedIssuers = std::vector<TrustedIssuer>;

// kInvalidArgument: not of the form above, a field we do not know, an http:// URL, an issuer twice; the message names the issuer.
absl::StatusOr<TrustedIssuers> ParseTrustedIssuers(absl::string_view text);
const TrustedIssuer* FindIssuer(const TrustedIssuers& issuers, absl::string_view issuer);

}  // namespace strata::auth
