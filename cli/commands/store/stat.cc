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

using Status = store::v1::GetStatusResponse;
using Statistics = blobstore::StoreStatistics;

std::string TimeText(const google::protobuf::Timestamp& time) {
  return absl::FormatTime(absl::RFC3339_sec, rpc::ToTime(time), absl::UTCTimeZone());
}

json::Value ScrubJson(const store::v1::ScrubStatus& scrub) {
  json::Value out = {{"is_enabled", scrub.is_enabled()}, {"cycle", scrub.cycle()}, {"is_deep", scrub.is_deep()},
                     {"blobs_read", scrub.blobs_read()}, {"bytes_read", scrub.bytes_read()}, {"damaged", scrub.damaged()}};
  if (scrub.has_cycle_started()) out["cycle_started"] = TimeText(scrub.cycle_started());
  if (scrub.has_cycle_ended()) out["cycle_ended"] = TimeText(scrub.cycle_ended());
  return out;
}

json::Value ToJson(const Statistics& figures, const Status& status) {
  json::Value out = {{"blobs", figures.blobs},
                     {"blob_bytes", figures.blob_bytes},
                     {"repositories", figures.repositories},
                     {"manifests", figures.manifests},
                     {"tags", figures.tags},
                     {"open_uploads", figures.open_uploads},
                     {"cache_records", figures.cache_records},
                     {"cache_bytes", figures.cache_bytes},
                     {"quarantined_blobs", status.quarantined_blobs()},
                     {"disk_bytes", status.disk_total_bytes()},
                     {"disk_free_bytes", status.disk_free_bytes()},
                     {"gc_due", status.collector_due()},
                     {"scrub", ScrubJson(status.scrub())}};
  if (status.has_collector_oldest_due()) out["gc_oldest_due"] = TimeText(status.collector_oldest_due());
  if (status.has_last_backup()) out["last_backup"] = TimeText(status.last_backup());
  return out;
}

std::string ScrubText(const store::v1::ScrubStatus& scrub, int64_t blobs, absl::Time now) {
  if (!scrub.is_enabled()) return "off (--scrub-rate 0)";
  if (scrub.cycle() == 0) return "not begun";
  const std::string kind = scrub.is_deep() ? "digests" : "checksums";
  if (scrub.has_cycle_ended()) {
    return absl::StrCat("cycle ", scrub.cycle(), " (", kind, ") ended ", HumanAge(rpc::ToTime(scrub.cycle_ended()), now), ", ", scrub.damaged(), " damaged");
  }
  return absl::StrCat("cycle ", scrub.cycle(), " (", kind, "): ", scrub.blobs_read(), " of about ", blobs, " blobs, ", HumanSize(scrub.bytes_read()), ", ",
                      scrub.damaged(), " damaged");
}

std::string AsTable(const Statistics& figures, const Status& status, absl::Time now) {
  Table table({"WHAT", "VALUE"});
  table.AddRow({"blobs", absl::StrCat(figures.blobs)});
  table.AddRow({"size of blobs", HumanSize(figures.blob_bytes)});
  table.AddRow({"repositories", absl::StrCat(figures.repositories)});
  table.AddRow({"manifests", absl::StrCat(figures.manifests)});
  table.AddRow({"tags", absl::StrCat(figures.tags)});
  table.AddRow({"open uploads", absl::StrCat(figures.open_uploads)});
  table.AddRow({"build-cache records", absl::StrCat(figures.cache_records)});
  table.AddRow({"size of records and their layers", HumanSize(figures.cache_bytes)});
  table.AddRow({"disk", HumanSize(status.disk_total_bytes())});
  table.AddRow({"disk free for uploads", HumanSize(status.disk_free_bytes())});
  table.AddRow({"quarantined blobs", absl::StrCat(status.quarantined_blobs(), status.quarantined_blobs() > 0 ? "  (strata store quarantine ls)" : "")});
  table.AddRow({"collector", status.collector_due() == 0 ? "nothing is due"
                                                         : absl::StrCat(status.collector_due(), " due, the oldest ", HumanAge(rpc::ToTime(status.collector_oldest_due()), now))});
  table.AddRow({"scrubber", ScrubText(status.scrub(), figures.blobs, now)});
  table.AddRow({"last backup", status.has_last_backup() ? HumanAge(rpc::ToTime(status.last_backup()), now) : "none since the store started"});
  return table.ToString();
}

}  // namespace

absl::Status RunStoreStat(Invocation& invocation) {
  CommandLine line(invocation, "store stat", "Shows what the store holds and how it is.", "");
  STRATA_ASSIGN_OR_RETURN(const auto operands, line.Parse(0, 0));
  if (!operands.has_value()) return absl::OkStatus();
  const auto store = blobstore::StoreClient::Connect(invocation.options.store);
  STRATA_ASSIGN_OR_RETURN(const Statistics figures, store->GetStatistics(invocation.Call()));
  MaintenanceClient client(invocation.options.store);
  STRATA_ASSIGN_OR_RETURN(const Status status, client.GetStatus(invocation.Call()));
  if (invocation.options.json()) return invocation.Print(absl::StrCat(json::DumpPretty(ToJson(figures, status)), "\n"));
  return invocation.Print(AsTable(figures, status, invocation.environment.clock.Now()));
}

}  // namespace strata::cli
