#include "services/registry/auth/token_endpoint.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/auth/authorization.h"
#include "lib/base/status.h"
#include "lib/bytes/byte_stream.h"
#include "lib/json/json.h"

namespace strata::registry {
namespace {

constexpr char kTokenExchange[] = "urn:ietf:params:oauth:grant-type:token-exchange";

// What a request for a token asks for, in either form.
struct Wanted {
  auth::Principal principal;
  std::vector<auth::Scope> scopes;
  bool wants_refresh = false;
  std::string refresh_token;  // the one that was shown: it goes on
};

absl::Status CheckService(const auth::TokenNames& names, const http::QueryParameters& parameters) {
  const absl::string_view service = parameters.Get("service");
  if (service.empty() || service == names.service) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("tokens of service \"", absl::CHexEscape(service.substr(0, 100)), "\" are not issued here; this is \"",
                                                 names.service, "\""));
}

absl::StatusOr<std::vector<auth::Scope>> ReadScopes(const http::QueryParameters& parameters) {
  return auth::ParseScopes(absl::StrJoin(parameters.FindAll("scope"), " "));
}

absl::StatusOr<auth::Principal> PrincipalOfGet(const CallContext& context, const http::Request& request, Authenticator& authenticator,
                                               const AccessFacts& facts) {
  const auto field = request.headers.Find("Authorization");
  if (!field) return FromCertificate(request);
  const auto shown = auth::ParseAuthorization(*field);
  if (!shown.ok()) return absl::UnauthenticatedError(shown.status().message());
  if (const auto* basic = std::get_if<auth::BasicCredentials>(&*shown)) {
    return authenticator.FromPassword(context, facts, AddressOf(request.peer), basic->user, basic->password);
  }
  // A token of ours buys no other one: it would outlive itself.
  return authenticator.FromOutsideToken(context, facts, std::get<auth::BearerToken>(*shown).token);
}

absl::StatusOr<Wanted> ReadGet(const CallContext& context, const http::Request& request, Authenticator& authenticator,
                               const AccessFacts& facts) {
  Wanted wanted;
  STRATA_RETURN_IF_ERROR(CheckService(authenticator.names(), request.query));
  STRATA_ASSIGN_OR_RETURN(wanted.scopes, ReadScopes(request.query));
  STRATA_ASSIGN_OR_RETURN(wanted.principal, PrincipalOfGet(context, request, authenticator, facts));
  wanted.wants_refresh = request.query.Get("offline_token") == "true";
  return wanted;
}

absl::StatusOr<http::QueryParameters> ReadForm(const http::Request& request) {
  if (!absl::StartsWith(request.headers.Get("Content-Type"), "application/x-www-form-urlencoded")) {
    return absl::InvalidArgumentError("a token is asked for by a form: Content-Type application/x-www-form-urlencoded");
  }
  auto body = ReadAll(request.body, kMaxTokenFormBytes);
  if (absl::IsResourceExhausted(body.status())) return absl::InvalidArgumentError("the form is too large");
  if (!body.ok()) return body.status();
  return http::QueryParameters::Parse(*body);
}

absl::StatusOr<auth::Principal> PrincipalOfPost(const CallContext& context, const http::Request& request, const http::QueryParameters& form,
                                                Authenticator& authenticator, const AccessFacts& facts) {
  const absl::string_view grant = form.Get("grant_type");
  if (grant == "password") {
    return authenticator.FromPassword(context, facts, AddressOf(request.peer), std::string(form.Get("username")),
                                      std::string(form.Get("password")));
  }
  if (grant == "refresh_token") return authenticator.FromRefreshToken(facts, form.Get("refresh_token"));
  if (grant == kTokenExchange) return authenticator.FromOutsideToken(context, facts, form.Get("subject_token"));
  return absl::UnimplementedError(absl::StrCat("grant_type \"", absl::CHexEscape(grant.substr(0, 100)),
                                               "\" is none of password, refresh_token and ", kTokenExchange));
}

absl::StatusOr<Wanted> ReadPost(const CallContext& context, const http::Request& request, Authenticator& authenticator,
                                const AccessFacts& facts) {
  STRATA_ASSIGN_OR_RETURN(const http::QueryParameters form, ReadForm(request));
  Wanted wanted;
  STRATA_RETURN_IF_ERROR(CheckService(authenticator.names(), form));
  STRATA_ASSIGN_OR_RETURN(wanted.scopes, ReadScopes(form));
  STRATA_ASSIGN_OR_RETURN(wanted.principal, PrincipalOfPost(context, request, form, authenticator, facts));
  const bool has_refresh = form.Get("grant_type") == "refresh_token";
  if (has_refresh) wanted.refresh_token = std::string(form.Get("refresh_token"));
  wanted.wants_refresh = !has_refresh && form.Get("access_type") == "offline";
  return wanted;
}

// Only who has a password to come back with gets a token that lasts.
absl::StatusOr<std::string> RefreshTokenFor(const Wanted& wanted, const Authenticator& authenticator, const AccessFacts& facts,
                                            const TokenLifetimes& lifetimes) {
  if (!wanted.refresh_token.empty()) return wanted.refresh_token;
  const auto user = facts.users.find(wanted.principal.name);
  if (!wanted.wants_refresh || wanted.principal.kind != auth::Principal::Kind::kUser || user == facts.users.end()) return std::string();
  STRATA_ASSIGN_OR_RETURN(auth::IssuedToken token, auth::IssueRefreshToken(facts.keys, authenticator.names(), wanted.principal,
                                                                           user->second, authenticator.Now(), lifetimes.refresh));
  return std::move(token.text);
}

absl::Status Answer(const Wanted& wanted, const Authenticator& authenticator, const AccessFacts& facts, const TokenLifetimes& lifetimes,
                    http::ResponseWriter& response) {
  const std::vector<auth::Scope> granted = auth::GrantScopes(facts.policy, wanted.principal, wanted.scopes);
  STRATA_ASSIGN_OR_RETURN(const auth::IssuedToken token,
                          auth::IssueAccessToken(facts.keys, authenticator.names(), wanted.principal, granted, authenticator.Now(),
                                                 std::max(lifetimes.access, kLeastTokenLifetime)));
  STRATA_ASSIGN_OR_RETURN(const std::string refresh, RefreshTokenFor(wanted, authenticator, facts, lifetimes));
  json::Value body = json::Value::object();
  body["token"] = token.text;
  body["access_token"] = token.text;
  body["token_type"] = "Bearer";
  body["expires_in"] = absl::ToInt64Seconds(token.lifetime);
  body["issued_at"] = absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", token.issued, absl::UTCTimeZone());
  body["scope"] = absl::StrJoin(granted, " ", [](std::string* out, const auth::Scope& scope) { out->append(scope.ToString()); });
  if (!refresh.empty()) body["refresh_token"] = refresh;
  response.headers().Set("Cache-Control", "no-store");
  return response.SendText("application/json", json::Dump(body));
}

struct OAuthError {
  int http_status;
  const char* error;
  const char* code;
};

OAuthError ToOAuthError(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument: return {400, "invalid_request", "UNSUPPORTED"};
    case absl::StatusCode::kUnimplemented: return {400, "unsupported_grant_type", "UNSUPPORTED"};
    case absl::StatusCode::kUnauthenticated: return {401, "invalid_grant", "UNAUTHORIZED"};
    case absl::StatusCode::kPermissionDenied: return {403, "access_denied", "DENIED"};
    case absl::StatusCode::kResourceExhausted: return {429, "slow_down", "TOOMANYREQUESTS"};
    default: return {503, "temporarily_unavailable", "UNAVAILABLE"};
  }
}

absl::Status AnswerError(const absl::Status& status, const auth::TokenNames& names, http::ResponseWriter& response) {
  const OAuthError error = ToOAuthError(status);
  const std::string message = error.http_status == 503 ? "no token can be issued now; retry in a moment" : std::string(status.message());
  json::Value body = json::Value::object();
  body["error"] = error.error;
  body["error_description"] = message;
  body["errors"] = json::Value::array({{{"code", error.code}, {"message", message}, {"detail", nullptr}}});
  response.SetStatus(error.http_status);
  response.headers().Set("Cache-Control", "no-store");
  if (error.http_status == 401) response.headers().Set("WWW-Authenticate", absl::StrCat("Basic realm=\"", names.service, "\""));
  if (error.http_status == 429 || error.http_status == 503) response.headers().Set("Retry-After", "1");
  STRATA_RETURN_IF_ERROR(response.SendText("application/json", json::Dump(body)));
  return status;
}

}  // namespace

absl::Status ServeTokenRequest(const CallContext& context, const http::Request& request, http::ResponseWriter& response,
                               Authenticator& authenticator, const AccessFacts& facts, const TokenLifetimes& lifetimes) {
  const bool is_post = request.method == "POST";
  absl::StatusOr<Wanted> wanted = is_post ? ReadPost(context, request, authenticator, facts) : ReadGet(context, request, authenticator, facts);
  if (!wanted.ok()) return is_post ? AnswerError(wanted.status(), authenticator.names(), response) : wanted.status();
  return Answer(*wanted, authenticator, facts, lifetimes, response);
}

}  // namespace strata::registry
