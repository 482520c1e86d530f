// The commands, one file each.
#pragma once

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "cli/commands/command_line.h"

namespace strata::cli {

absl::Status RunBuildCommand(Invocation& invocation);
absl::Status RunImages(Invocation& invocation);
absl::Status RunInspect(Invocation& invocation);
absl::Status RunHistory(Invocation& invocation);
absl::Status RunTag(Invocation& invocation);
absl::Status RunRemove(Invocation& invocation);
absl::Status RunImport(Invocation& invocation);
absl::Status RunSave(Invocation& invocation);
absl::Status RunLoad(Invocation& invocation);
absl::Status RunPull(Invocation& invocation);
absl::Status RunPush(Invocation& invocation);
absl::Status RunVersion(Invocation& invocation);

struct Command {
  const char* name;
  const char* summary;
  absl::Status (*run)(Invocation& invocation);
};

// In the order of the help text.
absl::Span<const Command> AllCommands();

}  // namespace strata::cli
