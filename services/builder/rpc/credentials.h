// Registry credentials that came with a call, as lib/distribution asks for them. They live as long as the call.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "google/protobuf/repeated_field.h"
#include "lib/distribution/authenticator.h"
#include "proto/strata/builder/v1/build.pb.h"

namespace strata::rpc {

inline distribution::CredentialSource ToCredentialSource(
    const google::protobuf::RepeatedPtrField<builder::v1::RegistryCredential>& credentials) {
  std::map<std::string, distribution::Credentials> by_host;
  for (const auto& credential : credentials) by_host[credential.host()] = {credential.user(), credential.password()};
  return [by_host](const std::string& host) -> std::optional<distribution::Credentials> {
    const auto found = by_host.find(host);
    if (found == by_host.end()) return std::nullopt;
    return found->second;
  };
}

}  // namespace strata::rpc
