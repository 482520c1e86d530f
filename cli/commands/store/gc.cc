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
  bool is_dry_run = false;
  line.Add(&is_dry_run, {.flag = "dry-run", .help = "Say what would go, and change nothing."});
  STRATA_ASSIGN_OR_RETURN(const auto operands, line.Parse(0, 0));
  if (!operands.has_value()) return absl::OkStatus();
  const auto store = blobstore::StoreClient::Connect(invocation.options.store);
  STRATA_ASSIGN_OR_RETURN(const blobstore::GarbageReport report, store->CollectGarbage(invocation.Call(), {.dry_run = is_dry_run}));
  if (invocation.options.json()) {
    return invocation.Print(absl::StrCat(json::Dump({{"dry_run", is_dry_run},
                                                     {"blobs_removed", report.blobs_removed},
                                                     {"bytes_reclaimed", report.bytes_reclaimed},
                                                     {"manifests_removed", report.manifests_removed},
                                                     {"blobs_later", report.blobs_later},
                                                     {"bytes_later", report.bytes_later}}),
                                         "\n"));
  }
  const std::string later = report.blobs_later == 0 ? ""
                                                    : absl::StrCat(report.blobs_later, " more blobs of ", HumanSize(report.bytes_later),
                                                                   " are held by leases of recent pushes and builds.\n");
  return invocation.Print(absl::StrCat(is_dry_run ? "Would remove " : "Removed ", report.manifests_removed, " manifests and ",
                                       report.blobs_removed, " blobs; ", HumanSize(report.bytes_reclaimed),
                                       is_dry_run ? " would come free.\n" : " came free.\n", later));
}

}  // namespace strata::cli
