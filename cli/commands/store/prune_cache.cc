#include "absl/strings/str_cat.h"
#include "cli/commands/store/store_commands.h"
#include "cli/exit_code.h"
#include "cli/output/human.h"
#include "lib/base/status.h"
#include "lib/blobstore/store_client.h"
#include "lib/json/json.h"

namespace strata::cli {

absl::Status RunStorePruneCache(Invocation& invocation) {
  absl::Duration unused_for = absl::Hours(24 * 14);
  bool is_dry_run = false;
  CommandLine line(invocation, "store prune-cache",
                   "Removes build-cache records that no build has used lately. Their layers go with the next collection, unless an image has them.", "");
  line.Add(&unused_for, {.flag = "unused-for", .help = "Records not used for this long go; 0s is all of them."});
  line.Add(&is_dry_run, {.flag = "dry-run", .help = "Remove nothing, only tell."});
  STRATA_ASSIGN_OR_RETURN(const auto operands, line.Parse(0, 0));
  if (!operands.has_value()) return absl::OkStatus();
  const auto store = blobstore::StoreClient::Connect(invocation.options.store);
  const absl::Time unused_since = invocation.environment.clock.Now() - unused_for;
  STRATA_ASSIGN_OR_RETURN(const blobstore::PruneReport report, store->PruneRecords(invocation.Call(), unused_since, is_dry_run));
  if (invocation.options.json()) {
    const json::Value figures = {{"records_removed", report.records}, {"bytes_removed", report.bytes}, {"dry_run", is_dry_run}};
    return invocation.Print(absl::StrCat(json::Dump(figures), "\n"));
  }
  return invocation.Print(absl::StrCat(is_dry_run ? "Would remove " : "Removed ", report.records, " build-cache records; they and the layers only they need have ",
                                       HumanSize(report.bytes), ".\n"));
}

}  // namespace strata::cli
