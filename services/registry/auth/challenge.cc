#include "services/registry/auth/challenge.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "lib/http/url.h"

namespace strata::registry {
namespace {

// The Host field is the client's word: nothing of it may end the quoted text, or lead the client elsewhere than it went already.
bool IsPlainHost(absl::string_view host) {
  return !host.empty() && host.size() <= 260 && std::all_of(host.begin(), host.end(), [](char c) {
    return absl::ascii_isalnum(c) || c == '.' || c == '-' || c == '_' || c == ':' || c == '[' || c == ']';
  });
}

}  // namespace

std::string BasicChallenge(absl::string_view service) { return absl::StrCat("Basic realm=\"", service, "\""); }

std::string BearerChallenge(absl::string_view realm, absl::string_view service, const std::vector<auth::Scope>& scopes,
                            absl::string_view error) {
  std::string challenge = absl::StrCat("Bearer realm=\"", realm, "\",service=\"", service, "\"");
  if (!scopes.empty()) {
    const std::string list = absl::StrJoin(scopes, " ", [](std::string* out, const auth::Scope& scope) { out->append(scope.ToString()); });
    absl::StrAppend(&challenge, ",scope=\"", list, "\"");
  }
  if (!error.empty()) absl::StrAppend(&challenge, ",error=\"", error, "\"");
  return challenge;
}

std::string TokenRealm(const std::string& public_url, const http::Request& request) {
  if (!public_url.empty()) return absl::StrCat(absl::StripSuffix(public_url, "/"), "/token");
  const absl::string_view host = request.headers.Get("Host");
  const std::string realm = absl::StrCat(request.is_encrypted ? "https" : "http", "://", host, "/token");
  return IsPlainHost(host) && http::Url::Parse(realm).ok() ? realm : "";
}

}  // namespace strata::registry
