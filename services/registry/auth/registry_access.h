// The registry that asks who you are: AccessControl over the files of AccessFiles.
#pragma once

#include <string>

#include "lib/base/clock.h"
#include "services/registry/auth/access_files.h"
#include "services/registry/auth/authenticator.h"
#include "services/registry/auth/token_endpoint.h"
#include "services/registry/repository/access.h"

namespace strata::registry {

struct RegistryAccessOptions {
  bool issues_tokens = false;  // challenges are Bearer, and /token answers; else they are Basic
  auth::TokenNames names;      // `service` is the realm of Basic as well
  std::string public_url;      // "" takes the Host of the request
  TokenLifetimes lifetimes;
  auth::PasswordCheckerOptions passwords;
};

// Thread-safe.
class RegistryAccess final : public AccessControl {
 public:
  // `files` and `clock` outlive this object.
  RegistryAccess(AccessFiles& files, const Clock& clock, RegistryAccessOptions options);

  absl::StatusOr<auth::Caller> Authenticate(const CallContext& context, const http::Request& request) override;
  absl::Status Authorize(const auth::Caller& caller, const auth::Question& question) const override;
  bool HasImmutableTags(absl::string_view repository) const override;
  bool IsImmutableTag(absl::string_view repository, absl::string_view tag) const override;
  void Challenge(const http::Request& request, const std::vector<auth::Scope>& scopes, absl::string_view error,
                 http::Headers& headers) const override;
  absl::Status ServeToken(const CallContext& context, const http::Request& request, http::ResponseWriter& response) override;

 private:
  const AccessFiles& files_;
  const RegistryAccessOptions options_;
  Authenticator authenticator_;
};

}  // namespace strata::registry
