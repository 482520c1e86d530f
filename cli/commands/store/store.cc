#include "cli/commands/store/group.h"
#include "cli/commands/store/store_commands.h"

namespace strata::cli {

absl::Status RunStore(Invocation& invocation) {
  return RunGroup(invocation, "store", "Looks after a store. Every command but restore talks to the store at --store, or STRATA_STORE.",
                  {
                      {"stat", "Show what the store holds and how it is.", RunStoreStat},
                      {"verify", "Check that everything is sound.", RunStoreVerify},
                      {"quarantine", "Blobs that were found damaged.", RunStoreQuarantine},
                      {"backup", "Copy the store while it serves.", RunStoreBackup},
                      {"restore", "Make a data folder of a backup.", RunStoreRestore},
                      {"gc", "Remove what nothing refers to, now.", RunStoreGc},
                      {"quota", "Limit what repositories may hold.", RunStoreQuota},
                      {"retention", "Rules about which tags and manifests go by themselves.", RunStoreRetention},
                      {"prune-cache", "Remove build-cache records by last use.", RunStorePruneCache},
                      {"tag-history", "Show what a tag pointed to, and when.", RunStoreTagHistory},
                      {"uploads", "Uploads that were begun and not ended.", RunStoreUploads},
                  });
}

}  // namespace strata::cli
