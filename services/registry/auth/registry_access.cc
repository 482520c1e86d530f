#include "services/registry/auth/registry_access.h"

#include <utility>
#include <variant>

#include "lib/auth/authorization.h"
#include "lib/base/status.h"
#include "services/registry/auth/challenge.h"

namespace strata::registry {
namespace {

constexpr char kInvalidToken[] = "invalid_token";
constexpr char kInsufficientScope[] = "insufficient_scope";

}  // namespace

RegistryAccess::RegistryAccess(AccessFiles& files, const Clock& clock, RegistryAccessOptions options)
    : files_(files), options_(std::move(options)), authenticator_(clock, options_.names, options_.passwords) {}

absl::StatusOr<auth::Caller> RegistryAccess::Authenticate(const CallContext& context, const http::Request& request) {
  const auto fields = request.headers.FindAll("Authorization");
  if (fields.empty()) return auth::Caller{FromCertificate(request), std::nullopt};
  if (fields.size() > 1) return absl::UnauthenticatedError("the request has several Authorization fields");
  const auto shown = auth::ParseAuthorization(fields.front());
  if (!shown.ok()) return absl::UnauthenticatedError(shown.status().message());
  const auto facts = files_.Facts();
  if (const auto* basic = std::get_if<auth::BasicCredentials>(&*shown)) {
    STRATA_ASSIGN_OR_RETURN(auth::Principal principal, authenticator_.FromPassword(context, *facts, AddressOf(request.peer), basic->user,
                                                                                   basic->password));
    return auth::Caller{std::move(principal), std::nullopt};
  }
  auto caller = authenticator_.FromBearer(context, *facts, std::get<auth::BearerToken>(*shown).token);
  if (absl::IsUnauthenticated(caller.status())) return WithChallengeError(kInvalidToken, caller.status());
  return caller;
}

absl::Status RegistryAccess::Authorize(const auth::Caller& caller, const auth::Question& question) const {
  const auth::Decision decision = auth::Decide(files_.Facts()->policy, caller, question);
  switch (decision.verdict) {
    case auth::Decision::Verdict::kAllow: return absl::OkStatus();
    case auth::Decision::Verdict::kLogIn: return absl::UnauthenticatedError(decision.reason);
    case auth::Decision::Verdict::kWidenToken: return WithChallengeError(kInsufficientScope, absl::UnauthenticatedError(decision.reason));
    case auth::Decision::Verdict::kDeny: break;
  }
  return absl::PermissionDeniedError(decision.reason);
}

bool RegistryAccess::HasImmutableTags(absl::string_view repository) const { return files_.Facts()->policy.HasImmutableTags(repository); }

bool RegistryAccess::IsImmutableTag(absl::string_view repository, absl::string_view tag) const {
  return files_.Facts()->policy.IsImmutable(repository, tag);
}

void RegistryAccess::Challenge(const http::Request& request, const std::vector<auth::Scope>& scopes, absl::string_view error,
                               http::Headers& headers) const {
  const std::string realm = options_.issues_tokens && request.path != "/token" ? TokenRealm(options_.public_url, request) : "";
  headers.Set("WWW-Authenticate", realm.empty() ? BasicChallenge(options_.names.service)
                                                : BearerChallenge(realm, options_.names.service, scopes, error));
}

absl::Status RegistryAccess::ServeToken(const CallContext& context, const http::Request& request, http::ResponseWriter& response) {
  if (!options_.issues_tokens) return absl::NotFoundError("this registry issues no tokens; send Basic credentials with each request");
  return ServeTokenRequest(context, request, response, authenticator_, *files_.Facts(), options_.lifetimes);
}

}  // namespace strata::registry
