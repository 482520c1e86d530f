#include "services/registry/auth/authenticator.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "lib/base/status.h"

namespace strata::registry {
namespace {

// A malformed token is no malformed request: it proves nothing, and that is all the caller must know.
absl::Status Unproven(const absl::Status& status) {
  return absl::IsInvalidArgument(status) ? absl::UnauthenticatedError(status.message()) : status;
}

bool LooksLikeToken(absl::string_view password) {
  return absl::StartsWith(password, "eyJ") && std::count(password.begin(), password.end(), '.') == 2;
}

}  // namespace

Authenticator::Authenticator(const Clock& clock, auth::TokenNames names, const auth::PasswordCheckerOptions& passwords)
    : clock_(clock), names_(std::move(names)), passwords_(clock, passwords), issuer_keys_(clock) {}

absl::StatusOr<auth::Caller> Authenticator::FromBearer(const CallContext& context, const AccessFacts& facts, absl::string_view text) {
  const auto token = auth::ParseJwt(text);
  if (!token.ok()) return Unproven(token.status());
  if (token->issuer == names_.issuer && !facts.keys.verifying.empty()) {
    auto caller = auth::ReadAccessToken(*token, facts.keys, names_, facts.policy, clock_.Now());
    if (!caller.ok()) return Unproven(caller.status());
    return caller;
  }
  STRATA_ASSIGN_OR_RETURN(auth::Principal principal, FromOutside(context, facts, *token));
  return auth::Caller{std::move(principal), std::nullopt};
}

absl::StatusOr<auth::Principal> Authenticator::FromOutsideToken(const CallContext& context, const AccessFacts& facts,
                                                                absl::string_view text) {
  const auto token = auth::ParseJwt(text);
  if (!token.ok()) return Unproven(token.status());
  return FromOutside(context, facts, *token);
}

absl::StatusOr<auth::Principal> Authenticator::FromOutside(const CallContext& context, const AccessFacts& facts, const auth::Jwt& token) {
  const auth::TrustedIssuer* issuer = auth::FindIssuer(facts.issuers, token.issuer);
  if (issuer == nullptr) return absl::UnauthenticatedError("the token is refused: its issuer is not trusted here");
  auth::KeySet keys;
  if (issuer->jwks_url.empty()) {
    const auto file = facts.issuer_files.find(issuer->jwks_file);
    if (file != facts.issuer_files.end()) keys = file->second;
  } else {
    STRATA_ASSIGN_OR_RETURN(keys, issuer_keys_.KeysFor(context, *issuer, token));
  }
  STRATA_RETURN_IF_ERROR(
      auth::VerifyJwt(token, keys, {.issuer = issuer->issuer, .audience = issuer->audience, .now = clock_.Now()}));
  STRATA_ASSIGN_OR_RETURN(auth::Principal principal, issuer->Identify(token));
  const absl::Time revoked = facts.policy.RevokedBefore(principal);
  if (revoked != absl::InfinitePast() && (!token.issued_at || *token.issued_at < revoked)) {
    return absl::UnauthenticatedError("the token is refused: it was revoked");
  }
  return principal;
}

absl::StatusOr<auth::Principal> Authenticator::FromPassword(const CallContext& context, const AccessFacts& facts, const std::string& peer,
                                                            const std::string& user, const std::string& password) {
  if (!facts.issuers.empty() && LooksLikeToken(password)) return FromOutsideToken(context, facts, password);
  STRATA_RETURN_IF_ERROR(passwords_.Check(facts.users, peer, user, password));
  return auth::Principal::User(user);
}

absl::StatusOr<auth::Principal> Authenticator::FromRefreshToken(const AccessFacts& facts, absl::string_view text) const {
  const auto token = auth::ParseJwt(text);
  if (!token.ok()) return Unproven(token.status());
  const auto claims = auth::ReadRefreshToken(*token, facts.keys, names_, facts.policy, clock_.Now());
  if (!claims.ok()) return Unproven(claims.status());
  const auto user = facts.users.find(claims->principal.name);
  const bool is_current = claims->principal.kind == auth::Principal::Kind::kUser && user != facts.users.end() &&
                          auth::PasswordFingerprint(user->second) == claims->password_fingerprint;
  if (!is_current) return absl::UnauthenticatedError("the refresh token is refused: the password changed since; log in again");
  return claims->principal;
}

auth::Principal FromCertificate(const http::Request& request) {
  if (request.certificate == nullptr) return {};
  return auth::PeerCertificate{request.certificate->common_name, request.certificate->uris, request.certificate->dns_names}.ToPrincipal();
}

std::string AddressOf(absl::string_view peer) { return std::string(peer.substr(0, peer.rfind(':'))); }

}  // namespace strata::registry
