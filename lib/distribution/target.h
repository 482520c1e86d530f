// What one operation of RegistryClient is about: where it goes, with which rights, and how its errors name it.
#pragma once

#include <string>
#include <vector>

#include "lib/distribution/registry_client.h"

namespace strata::distribution {

struct RegistryClient::Target {
  Endpoint endpoint;
  RemoteRepository remote;
  std::vector<std::string> scopes;  // of the token
  std::string what;                 // "manifest 1.4", "blob sha256:..."

  // "manifest 1.4 of quay.example/team/app"
  std::string Describe() const;
};

// The Status of a response that is no success, explained: what, where, and what the registry itself says. Reads a little of the
// body.
absl::Status StatusOfResponse(const std::string& subject, const std::string& registry, http::ClientResponse& response);

}  // namespace strata::distribution
