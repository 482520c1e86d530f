// Which server speaks for a registry host, and how.
//
// Docker Hub's names ("docker.io", "index.docker.io", or none) mean https://registry-1.docker.io, where one-word repositories
// live under "library/". Loopback addresses, "localhost" and hosts listed as insecure are spoken to in plain HTTP, all others
// over HTTPS.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/http/url.h"

namespace strata::distribution {

// A repository as people name it.
struct RemoteRepository {
  std::string host;  // "quay.example:5000"; "" means Docker Hub
  std::string path;  // "team/app"

  std::string ToString() const;  // "quay.example:5000/team/app"
};

struct Endpoint {
  http::Url base;               // "https://registry-1.docker.io/"
  std::string repository;       // the path there: "library/debian"
  std::string credential_host;  // the key of credentials: "docker.io", "quay.example:5000"

  // base + "/v2/<repository>/<rest>"
  http::Url Locate(absl::string_view rest) const;
};

// kInvalidArgument: a malformed host or repository. An empty `remote.path` gives the endpoint of the registry itself.
absl::StatusOr<Endpoint> ResolveEndpoint(const RemoteRepository& remote, const std::vector<std::string>& insecure_hosts);

}  // namespace strata::distribution
