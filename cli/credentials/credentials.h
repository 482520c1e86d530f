// Who we are at registries: what `docker login` left behind, and two variables for CI.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace strata::cli {

struct Credential {
  std::string host;  // "quay.example:5000"; Docker Hub is "docker.io"
  std::string user;
  std::string password;
};

// The `auths` of docker's config.json that hold a password themselves; those that a helper program keeps are left out.
// kInvalidArgument: not JSON, or an entry that is not base64 of "user:password"; secrets are never part of the message.
absl::StatusOr<std::vector<Credential>> ParseDockerConfig(absl::string_view text);

struct CredentialSources {
  std::string docker_config;  // the file; "" or absent: none
  std::string host, user, password;  // of the variables; they win over the file. All empty: not given
};

// UsageError: a file that cannot be used, by name; a user without host or password.
absl::StatusOr<std::vector<Credential>> LoadCredentials(const CredentialSources& sources);

}  // namespace strata::cli
