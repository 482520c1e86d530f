#include "cli/commands/registry_credentials.h"

#include "cli/exit_code.h"
#include "lib/base/status.h"
#include "lib/oci/reference.h"

namespace strata::cli {

absl::Status AddCredentials(const Invocation& invocation, const std::string& reference, CredentialList& out) {
  STRATA_ASSIGN_OR_RETURN(const std::vector<Credential> credentials, invocation.Credentials());
  std::string host;
  if (!reference.empty()) {
    const auto parsed = oci::Reference::Parse(reference);
    if (!parsed.ok()) return UsageError(parsed.status().message());
    // A name without a host is Docker Hub's, when it is not ours.
    host = parsed->host.empty() ? "docker.io" : parsed->host;
  }
  for (const Credential& credential : credentials) {
    if (!host.empty() && credential.host != host) continue;
    auto* added = out.Add();
    added->set_host(credential.host);
    added->set_user(credential.user);
    added->set_password(credential.password);
  }
  return absl::OkStatus();
}

}  // namespace strata::cli
