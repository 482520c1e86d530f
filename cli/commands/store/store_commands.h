// `strata store ...`: for whoever looks after a store. These commands talk to the store itself, at --store.
#pragma once

#include "absl/status/status.h"
#include "cli/commands/command_line.h"

namespace strata::cli {

// The group: finds the sub-command in the arguments. A sub-command is a file here and a line in store.cc.
absl::Status RunStore(Invocation& invocation);

absl::Status RunStoreStat(Invocation& invocation);
absl::Status RunStoreGc(Invocation& invocation);
absl::Status RunStorePruneCache(Invocation& invocation);

}  // namespace strata::cli
