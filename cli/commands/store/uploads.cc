#include <string>

#include "absl/strings/str_cat.h"
#include "cli/client/maintenance_client.h"
#include "cli/commands/store/store_commands.h"
#include "cli/output/human.h"
#include "cli/output/table.h"
#include "lib/base/status.h"
#include "lib/blobstore/store_client.h"
#include "lib/json/json.h"
#include "lib/rpc/timestamp.h"

namespace strata::cli {
namespace {

absl::Status RunList(Invocation& invocation) {
  CommandLine line(invocation, "store uploads ls", "Lists the uploads that were begun and not ended; idle ones go by themselves (--upload-ttl of the store).", "");
  STRATA_ASSIGN_OR_RETURN(const auto operands, line.Parse(0, 0));
  if (!operands.has_value()) return absl::OkStatus();
  MaintenanceClient client(invocation.options.store);
  Table table({"UPLOAD", "REPOSITORY", "HOLDS", "STARTED", "LAST WRITE"});
  json::Value list = json::Value::array();
  store::v1::ListUploadsRequest request;
  request.set_limit(1000);
  const absl::Time now = invocation.environment.clock.Now();
  while (true) {
    STRATA_ASSIGN_OR_RETURN(const auto page, client.ListUploads(invocation.Call(), request));
    for (const auto& upload : page.uploads()) {
      const absl::Time started = rpc::ToTime(upload.started());
      const absl::Time last_write = rpc::ToTime(upload.last_write());
      table.AddRow({upload.upload_id(), upload.repository(), HumanSize(upload.offset_bytes()), HumanAge(started, now), HumanAge(last_write, now)});
      list.push_back({{"upload_id", upload.upload_id()},
                      {"repository", upload.repository()},
                      {"offset_bytes", upload.offset_bytes()},
                      {"started", absl::FormatTime(absl::RFC3339_sec, started, absl::UTCTimeZone())},
                      {"last_write", absl::FormatTime(absl::RFC3339_sec, last_write, absl::UTCTimeZone())}});
    }
    if (!page.has_more() || page.uploads().empty()) break;
    request.set_last_upload_id(page.uploads(page.uploads_size() - 1).upload_id());
  }
  return invocation.Print(invocation.options.json() ? absl::StrCat(json::DumpPretty(list), "\n") : table.ToString());
}

absl::Status RunCancel(Invocation& invocation) {
  CommandLine line(invocation, "store uploads cancel", "Ends an upload and gives its disk back; its client is told that there is no such upload.", "REPOSITORY UPLOAD");
  STRATA_ASSIGN_OR_RETURN(const auto operands, line.Parse(2, 2));
  if (!operands.has_value()) return absl::OkStatus();
  const auto store = blobstore::StoreClient::Connect(invocation.options.store);
  STRATA_RETURN_IF_ERROR(store->CancelUpload(invocation.Call(), (*operands)[0], (*operands)[1]));
  if (invocation.options.json()) return invocation.Print(absl::StrCat(json::Dump({{"cancelled", (*operands)[1]}}), "\n"));
  return invocation.Print(absl::StrCat((*operands)[1], "\n"));
}

}  // namespace

absl::Status RunStoreUploads(Invocation& invocation) {
  return RunGroup(invocation, "store uploads", "Uploads that were begun and not ended.",
                  {{"ls", "List them.", RunList}, {"cancel", "End one.", RunCancel}});
}

}  // namespace strata::cli
