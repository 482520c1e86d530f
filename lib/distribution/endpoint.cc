#include "lib/distribution/endpoint.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/oci/reference.h"

namespace strata::distribution {
namespace {

constexpr absl::string_view kDockerHub = "docker.io";
constexpr absl::string_view kDockerHubServer = "registry-1.docker.io";

bool IsDockerHub(absl::string_view host) {
  return host.empty() || host == kDockerHub || host == "index.docker.io" || host == kDockerHubServer;
}

// "127.x.y.z", nothing that merely begins like it.
bool IsLoopback(absl::string_view host) {
  if (host == "localhost" || host == "[::1]") return true;
  return absl::StartsWith(host, "127.") && std::count(host.begin(), host.end(), '.') == 3 &&
         host.find_first_not_of("0123456789.") == absl::string_view::npos;
}

}  // namespace

std::string RemoteRepository::ToString() const {
  return absl::StrCat(host.empty() ? kDockerHub : absl::string_view(host), "/", path);
}

http::Url Endpoint::Locate(absl::string_view rest) const {
  http::Url url = base;
  url.path = absl::StrCat("/v2/", repository, repository.empty() ? "" : "/", rest);
  return url;
}

absl::StatusOr<Endpoint> ResolveEndpoint(const RemoteRepository& remote, const std::vector<std::string>& insecure_hosts) {
  if (!remote.path.empty()) STRATA_RETURN_IF_ERROR(oci::ValidateRepository(remote.path));
  const std::string host = absl::AsciiStrToLower(remote.host);
  Endpoint endpoint;
  endpoint.repository = remote.path;
  if (IsDockerHub(host)) {
    STRATA_ASSIGN_OR_RETURN(endpoint.base, http::Url::Parse(absl::StrCat("https://", kDockerHubServer)));
    endpoint.credential_host = std::string(kDockerHub);
    if (!remote.path.empty() && !absl::StrContains(remote.path, "/")) endpoint.repository = absl::StrCat("library/", remote.path);
    return endpoint;
  }
  if (host.find_first_of("/?#@") != std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat("\"", remote.host, "\" is not a registry host; write host or host:port"));
  }
  STRATA_ASSIGN_OR_RETURN(const http::Url secure, http::Url::Parse(absl::StrCat("https://", host)));
  const bool is_plain = IsLoopback(secure.host) || std::find(insecure_hosts.begin(), insecure_hosts.end(), host) != insecure_hosts.end();
  endpoint.base = secure;
  if (is_plain) {
    STRATA_ASSIGN_OR_RETURN(endpoint.base, http::Url::Parse(absl::StrCat("http://", host)));
  }
  endpoint.credential_host = host;
  return endpoint;
}

}  // namespace strata::distribution
