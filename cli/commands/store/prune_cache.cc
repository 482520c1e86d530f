#include "absl/strings/str_cat.h"
#include "cli/commands/store/store_commands.h"
#include "cli/exit_code.h"
#include "lib/base/status.h"
#include "lib/blobstore/store_client.h"
#include "lib/json/json.h"

namespace strata::cli {

absl::Status RunStorePruneCache(Invocation& invocation) {
  absl::Duration unused_for = absl::Hours(24 * 14);
  CommandLine line(invocation, "store prune-cache",
                   "Removes build-cache records that no build has used lately. Their layers go with the next collection, unless an image has them.", "");
  line.Add(&unused_for, {.flag = "unused-for", .help = "Records not used for this long go; 0s is all of them."});
  STRATA_ASSIGN_OR_RETURN(const auto operands, line.Parse(0, 0));
  if (!operands.has_value()) return absl::OkStatus();
  const auto store = blobstore::StoreClient::Connect(invocation.options.store);
  STRATA_ASSIGN_OR_RETURN(const int64_t removed,
                          store->PruneRecords(invocation.Call(), invocation.environment.clock.Now() - unused_for));
  if (invocation.options.json()) return invocation.Print(absl::StrCat(json::Dump({{"records_removed", removed}}), "\n"));
  return invocation.Print(absl::StrCat("Removed ", removed, " build-cache records.\n"));
}

}  // namespace strata::cli
