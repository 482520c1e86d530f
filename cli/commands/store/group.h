// Commands that are made of commands: `strata store`, `strata store quarantine`.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "cli/commands/command_line.h"

namespace strata::cli {

struct Subcommand {
  const char* name;
  const char* summary;
  absl::Status (*run)(Invocation& invocation);
};

// Runs the one that the arguments begin with; with none, or --help, shows them. UsageError: there is no such command.
absl::Status RunGroup(Invocation& invocation, const std::string& name, const std::string& about, const std::vector<Subcommand>& commands);

}  // namespace strata::cli
