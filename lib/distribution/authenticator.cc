#include "lib/distribution/authenticator.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/status.h"
#include "lib/bytes/byte_stream.h"
#include "lib/http/url.h"
#include "lib/json/json.h"

namespace strata::distribution {
namespace {

constexpr size_t kMaxTokenBytes = 256 * 1024;
constexpr size_t kMaxKnown = 10'000;
constexpr char kClientId[] = "strata";

std::string KeyOf(const Endpoint& endpoint, const std::vector<std::string>& scopes) {
  return absl::StrCat(endpoint.base.ToString(), "\n", absl::StrJoin(scopes, "\n"));
}

std::string BasicAuthorization(const Credentials& credentials) {
  return absl::StrCat("Basic ", absl::Base64Escape(absl::StrCat(credentials.user, ":", credentials.password)));
}

absl::Status NoCredentials(const Endpoint& endpoint) {
  return absl::UnauthenticatedError(absl::StrCat("registry ", endpoint.credential_host, " asks for credentials and there are none; log in to ",
                                                 endpoint.credential_host, " first"));
}

bool IsRefreshToken(const std::optional<Credentials>& credentials) { return credentials && credentials->user == kRefreshTokenUser; }

// Asks by GET, credentials in the Authorization field.
http::ClientRequest BasicTokenRequest(http::Url url, const std::string& service, const std::vector<std::string>& scopes,
                                      const std::optional<Credentials>& credentials) {
  if (!service.empty()) url.AddQuery("service", service);
  for (const std::string& scope : scopes) url.AddQuery("scope", scope);
  http::ClientRequest request;
  if (credentials) {
    url.AddQuery("account", credentials->user);
    request.headers.Set("Authorization", BasicAuthorization(*credentials));
  }
  request.url = url.ToString();
  return request;
}

// The form that exchanges a refresh token.
std::string RefreshForm(const std::string& service, const std::vector<std::string>& scopes, const std::string& refresh_token) {
  http::QueryParameters form;
  form.Add("grant_type", "refresh_token");
  form.Add("service", service);
  form.Add("client_id", kClientId);
  form.Add("scope", absl::StrJoin(scopes, " "));
  form.Add("refresh_token", refresh_token);
  return form.ToString();
}

absl::StatusOr<std::string> TokenOf(absl::string_view document) {
  STRATA_ASSIGN_OR_RETURN(const json::Value answer, json::Parse(document));
  STRATA_ASSIGN_OR_RETURN(std::string token, json::StringField(answer, "token"));
  if (token.empty()) {
    STRATA_ASSIGN_OR_RETURN(token, json::StringField(answer, "access_token"));
  }
  if (token.empty() || !http::IsValidFieldValue(token)) return absl::InvalidArgumentError("no usable token in the answer");
  return token;
}

}  // namespace

std::string Authenticator::Known(const Endpoint& endpoint, const std::vector<std::string>& scopes) const {
  MutexLock lock(mutex_);
  const auto found = known_.find(KeyOf(endpoint, scopes));
  return found == known_.end() ? "" : found->second;
}

absl::StatusOr<std::string> Authenticator::Answer(const CallContext& context, const Endpoint& endpoint, const std::vector<std::string>& scopes,
                                                  const http::Headers& response_headers) {
  std::vector<Challenge> challenges;
  for (const absl::string_view value : response_headers.FindAll("WWW-Authenticate")) {
    STRATA_ASSIGN_OR_RETURN(const std::vector<Challenge> some, ParseChallenges(value));
    challenges.insert(challenges.end(), some.begin(), some.end());
  }
  const std::optional<Credentials> credentials = credentials_ ? credentials_(endpoint.credential_host) : std::nullopt;
  std::string authorization;
  for (const Challenge& challenge : challenges) {
    if (challenge.scheme == "bearer") {
      STRATA_ASSIGN_OR_RETURN(const std::string token, FetchToken(context, endpoint, scopes, challenge, credentials));
      authorization = absl::StrCat("Bearer ", token);
      break;
    }
    if (challenge.scheme == "basic") {
      if (!credentials || IsRefreshToken(credentials)) return NoCredentials(endpoint);
      authorization = BasicAuthorization(*credentials);
      break;
    }
  }
  if (authorization.empty()) {
    return absl::UnauthenticatedError(absl::StrCat("registry ", endpoint.credential_host, " refuses the request and asks for neither Basic nor Bearer "
                                                   "authentication"));
  }
  MutexLock lock(mutex_);
  if (known_.size() >= kMaxKnown) known_.clear();
  known_[KeyOf(endpoint, scopes)] = authorization;
  return authorization;
}

absl::StatusOr<std::string> Authenticator::FetchToken(const CallContext& context, const Endpoint& endpoint, const std::vector<std::string>& scopes,
                                                      const Challenge& challenge, const std::optional<Credentials>& credentials) {
  const std::string where = absl::StrCat("getting a token for registry ", endpoint.credential_host);
  absl::StatusOr<http::Url> url = http::Url::Parse(challenge.Get("realm"));
  if (!url.ok()) return Annotate(url.status(), where);
  if (endpoint.base.scheme == "https" && url->scheme != "https") {
    return absl::FailedPreconditionError(absl::StrCat(where, ": its token server ", url->Authority(), " is not reached over https; refused"));
  }
  if (credentials && realm_check_) {
    if (const absl::Status allowed = realm_check_(*url); !allowed.ok()) return Annotate(allowed, where);
  }
  std::vector<std::string> wanted = scopes;
  if (wanted.empty() && !challenge.Get("scope").empty()) wanted.push_back(challenge.Get("scope"));
  const std::string service = challenge.Get("service");
  http::ClientRequest request;
  const std::string form = IsRefreshToken(credentials) ? RefreshForm(service, wanted, credentials->password) : "";
  StringSource form_source(form);
  if (form.empty()) {
    request = BasicTokenRequest(*url, service, wanted, credentials);
  } else {
    request.method = "POST";
    request.url = url->ToString();
    request.headers.Set("Content-Type", "application/x-www-form-urlencoded");
    request.body = &form_source;
    request.body_size = form.size();
  }
  absl::StatusOr<http::ClientResponse> response = client_.Do(context, std::move(request));
  if (!response.ok()) return Annotate(response.status(), where);
  if (response->status == 401 || response->status == 403) {
    if (!credentials) return NoCredentials(endpoint);
    if (IsRefreshToken(credentials)) {
      return absl::UnauthenticatedError(absl::StrCat(where, ": ", url->Authority(), " refuses the login that was stored; log in again"));
    }
    return absl::UnauthenticatedError(absl::StrCat(where, ": ", url->Authority(), " refuses the credentials of user \"", credentials->user,
                                                   "\"; log in again"));
  }
  if (response->status != 200) {
    return absl::UnavailableError(absl::StrCat(where, ": ", url->Authority(), " answers ", response->status));
  }
  absl::StatusOr<std::string> document = ReadAll(*response->body, kMaxTokenBytes);
  if (!document.ok()) return Annotate(document.status(), where);
  absl::StatusOr<std::string> token = TokenOf(*document);
  if (!token.ok()) return Annotate(token.status(), where);
  return token;
}

}  // namespace strata::distribution
