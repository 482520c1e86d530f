#include "lib/auth/token.h"

#include <openssl/rand.h>
#include <openssl/sha.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/auth/base64url.h"
#include "lib/base/status.h"
#include "lib/json/json.h"

namespace strata::auth {
namespace {

std::string RefreshAudience(const TokenNames& names) { return absl::StrCat("refresh ", names.service); }

absl::StatusOr<std::string> RandomId() {
  std::string bytes(16, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(bytes.size())) != 1) {
    return absl::InternalError("no random numbers for a token");
  }
  return Base64UrlEncode(bytes);
}

absl::StatusOr<json::Value> CommonClaims(const TokenNames& names, const std::string& audience, const Principal& principal,
                                         absl::Time now, absl::Duration lifetime) {
  STRATA_ASSIGN_OR_RETURN(std::string id, RandomId());
  json::Value claims = json::Value::object();
  claims["iss"] = names.issuer;
  claims["sub"] = principal.ToString();
  claims["aud"] = audience;
  claims["exp"] = absl::ToUnixSeconds(now + lifetime);
  claims["nbf"] = absl::ToUnixSeconds(now);
  claims["iat"] = absl::ToUnixSeconds(now);
  claims["jti"] = std::move(id);
  return claims;
}

absl::StatusOr<IssuedToken> Sign(const TokenKeys& keys, const json::Value& claims, absl::Time now, absl::Duration lifetime) {
  if (keys.signing.empty()) return absl::FailedPreconditionError("there is no key to sign tokens with");
  STRATA_ASSIGN_OR_RETURN(std::string text, SignJwt(keys.signing.back(), json::Dump(claims)));
  return IssuedToken{std::move(text), now, lifetime};
}

absl::StatusOr<Principal> Holder(const Jwt& token, const Policy& policy) {
  STRATA_ASSIGN_OR_RETURN(Principal principal, Principal::Parse(token.subject));
  if (!token.issued_at) return absl::InvalidArgumentError("malformed token: it has no claim iat");
  if (*token.issued_at < policy.RevokedBefore(principal)) {
    return absl::UnauthenticatedError("the token is refused: it was revoked; log in again");
  }
  return principal;
}

absl::StatusOr<std::vector<Scope>> ReadScopes(const json::Value& claims) {
  std::vector<Scope> scopes;
  const json::Value* access = json::Find(claims, "access");
  if (access == nullptr) return scopes;
  if (!access->is_array() || access->size() > kMaxScopes) return absl::InvalidArgumentError("malformed token: claim access");
  for (const json::Value& entry : *access) {
    Scope scope;
    STRATA_ASSIGN_OR_RETURN(scope.type, json::StringField(entry, "type"));
    STRATA_ASSIGN_OR_RETURN(scope.resource_class, json::StringField(entry, "class"));
    STRATA_ASSIGN_OR_RETURN(scope.name, json::StringField(entry, "name"));
    STRATA_ASSIGN_OR_RETURN(scope.actions, json::StringListField(entry, "actions"));
    scopes.push_back(std::move(scope));
  }
  return scopes;
}

}  // namespace

std::string PasswordFingerprint(absl::string_view password_hash) {
  const std::string text = absl::StrCat("strata refresh token\n", password_hash);
  std::string hash(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), reinterpret_cast<unsigned char*>(hash.data()));
  return Base64UrlEncode(hash);
}

absl::StatusOr<IssuedToken> IssueAccessToken(const TokenKeys& keys, const TokenNames& names, const Principal& principal,
                                             const std::vector<Scope>& scopes, absl::Time now, absl::Duration lifetime) {
  STRATA_ASSIGN_OR_RETURN(json::Value claims, CommonClaims(names, names.service, principal, now, lifetime));
  json::Value access = json::Value::array();
  for (const Scope& scope : scopes) {
    json::Value entry = json::Value::object();
    entry["type"] = scope.type;
    if (!scope.resource_class.empty()) entry["class"] = scope.resource_class;
    entry["name"] = scope.name;
    entry["actions"] = scope.actions;
    access.push_back(std::move(entry));
  }
  claims["access"] = std::move(access);
  return Sign(keys, claims, now, lifetime);
}

absl::StatusOr<IssuedToken> IssueRefreshToken(const TokenKeys& keys, const TokenNames& names, const Principal& principal,
                                              absl::string_view password_hash, absl::Time now, absl::Duration lifetime) {
  STRATA_ASSIGN_OR_RETURN(json::Value claims, CommonClaims(names, RefreshAudience(names), principal, now, lifetime));
  claims["password"] = PasswordFingerprint(password_hash);
  return Sign(keys, claims, now, lifetime);
}

absl::StatusOr<Caller> ReadAccessToken(const Jwt& token, const TokenKeys& keys, const TokenNames& names, const Policy& policy,
                                       absl::Time now) {
  STRATA_RETURN_IF_ERROR(VerifyJwt(token, keys.verifying, {.issuer = names.issuer, .audience = names.service, .now = now}));
  STRATA_ASSIGN_OR_RETURN(Principal principal, Holder(token, policy));
  STRATA_ASSIGN_OR_RETURN(const json::Value claims, json::Parse(token.payload));
  STRATA_ASSIGN_OR_RETURN(std::vector<Scope> scopes, ReadScopes(claims));
  return Caller{std::move(principal), std::move(scopes)};
}

absl::StatusOr<RefreshClaims> ReadRefreshToken(const Jwt& token, const TokenKeys& keys, const TokenNames& names, const Policy& policy,
                                               absl::Time now) {
  STRATA_RETURN_IF_ERROR(VerifyJwt(token, keys.verifying, {.issuer = names.issuer, .audience = RefreshAudience(names), .now = now}));
  RefreshClaims claims;
  STRATA_ASSIGN_OR_RETURN(claims.principal, Holder(token, policy));
  STRATA_ASSIGN_OR_RETURN(const json::Value payload, json::Parse(token.payload));
  STRATA_ASSIGN_OR_RETURN(claims.password_fingerprint, json::StringField(payload, "password"));
  return claims;
}

}  // namespace strata::auth
