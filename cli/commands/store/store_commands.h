// `strata store ...`: for whoever looks after a store. These commands talk to the store itself, at --store.
#pragma once

#include "absl/status/status.h"
#include "cli/commands/command_line.h"
#include "cli/commands/store/group.h"

namespace strata::cli {

// The group. A sub-command is a file here and a line in store.cc.
absl::Status RunStore(Invocation& invocation);

absl::Status RunStoreStat(Invocation& invocation);
absl::Status RunStoreVerify(Invocation& invocation);
absl::Status RunStoreQuarantine(Invocation& invocation);
absl::Status RunStoreBackup(Invocation& invocation);
absl::Status RunStoreRestore(Invocation& invocation);
absl::Status RunStoreGc(Invocation& invocation);
absl::Status RunStorePruneCache(Invocation& invocation);
absl::Status RunStoreTagHistory(Invocation& invocation);
absl::Status RunStoreUploads(Invocation& invocation);
absl::Status RunStoreQuota(Invocation& invocation);
absl::Status RunStoreRetention(Invocation& invocation);

}  // namespace strata::cli
