#include "absl/strings/str_cat.h"
#include "cli/commands/store/store_commands.h"
#include "cli/output/human.h"
#include "lib/base/status.h"
#include "lib/blobstore/store_client.h"
#include "lib/json/json.h"

namespace strata::cli {

absl::Status RunStoreGc(Invocation& invocation) {
  CommandLine line(invocation, "store gc",
                   "Removes what nothing refers to at once, instead of after the grace period. Running pushes and builds lose nothing.", "");
  STRATA_ASSIGN_OR_RETURN(const auto operands, line.Parse(0, 0));
  if (!operands.has_value()) return absl::OkStatus();
  const auto store = blobstore::StoreClient::Connect(invocation.options.store);
  STRATA_ASSIGN_OR_RETURN(const blobstore::GarbageReport report, store->CollectGarbage(invocation.Call()));
  if (invocation.options.json()) {
    return invocation.Print(absl::StrCat(
        json::Dump({{"blobs_removed", report.blobs_removed}, {"bytes_reclaimed", report.bytes_reclaimed}}), "\n"));
  }
  return invocation.Print(absl::StrCat("Removed ", report.blobs_removed, " blobs; ", HumanSize(report.bytes_reclaimed), " came free.\n"));
}

}  // namespace strata::cli
