#include "absl/strings/str_cat.h"
#include "cli/client/maintenance_client.h"
#include "cli/commands/store/progress_line.h"
#include "cli/commands/store/store_commands.h"
#include "cli/exit_code.h"
#include "cli/output/human.h"
#include "lib/base/status.h"
#include "lib/json/json.h"

namespace strata::cli {

absl::Status RunStoreBackup(Invocation& invocation) {
  int64_t keep = 1;
  CommandLine line(invocation, "store backup",
                   "Copies the store, as it is at one moment, while it serves. The store process makes the copy, on the store's host, in the folder NAME below "
                   "its --backup-dir; nothing is sent here. What an older copy holds is not copied again.", "NAME");
  line.Add(&keep, {.flag = "keep", .help = "Complete copies of this name to keep, this one counted; older ones go once it is complete."});
  line.SetEpilogue("The folder of the copy is printed. Restore it with strata-store restore --from FOLDER --data NEW-FOLDER.");
  STRATA_ASSIGN_OR_RETURN(const auto operands, line.Parse(1, 1));
  if (!operands.has_value()) return absl::OkStatus();
  if (keep < 1 || keep > 1000) return UsageError("--keep: want 1 to 1000");
  store::v1::BackupRequest request;
  request.set_name((*operands)[0]);
  request.set_keep(static_cast<int32_t>(keep));
  MaintenanceClient client(invocation.options.store);
  store::v1::BackupSummary summary;
  {
    ProgressLine progress(invocation);
    STRATA_RETURN_IF_ERROR(client.Backup(invocation.Call(), request, [&](const store::v1::BackupResponse& response) {
      if (response.has_progress()) {
        const auto& now = response.progress();
        progress.Show(now.stage(), absl::StrCat(OutOf(now.extents(), now.total_extents()), " files, ", HumanSize(now.bytes())));
      } else if (response.has_summary()) {
        summary = response.summary();
      }
      return absl::OkStatus();
    }));
  }
  if (summary.path().empty()) return absl::InternalError("the store ended the backup without a result; update the store or strata");
  if (invocation.options.json()) {
    return invocation.Print(absl::StrCat(json::DumpPretty({{"path", summary.path()},
                                                           {"extents", summary.extents()},
                                                           {"extent_bytes", summary.extent_bytes()},
                                                           {"extents_linked", summary.extents_linked()},
                                                           {"bytes_copied", summary.bytes_copied()},
                                                           {"removed_backups", summary.removed_backups()}}), "\n"));
  }
  invocation.Tell(absl::StrCat("Backed up ", summary.extents(), " large blobs, ", HumanSize(summary.extent_bytes()), "; ", summary.extents_linked(),
                               " shared, ", HumanSize(summary.bytes_copied()), " copied; ", summary.removed_backups(), " old copies removed.\n"));
  return invocation.Print(absl::StrCat(summary.path(), "\n"));
}

}  // namespace strata::cli
