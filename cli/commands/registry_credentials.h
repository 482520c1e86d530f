// Which of our credentials go along with a request.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "cli/commands/command_line.h"
#include "proto/strata/builder/v1/build.pb.h"

namespace strata::cli {

using CredentialList = google::protobuf::RepeatedPtrField<builder::v1::RegistryCredential>;

// Those for the registry of `reference` alone; all of them when `reference` is "" (a Dockerfile may name any registry).
// UsageError: the configuration cannot be read.
absl::Status AddCredentials(const Invocation& invocation, const std::string& reference, CredentialList& out);

}  // namespace strata::cli
