#include "absl/strings/str_cat.h"
#include "cli/commands/store/store_commands.h"
#include "cli/output/human.h"
#include "cli/output/table.h"
#include "lib/base/status.h"
#include "lib/blobstore/store_client.h"
#include "lib/json/json.h"

namespace strata::cli {
namespace {

json::Value ToJson(const blobstore::StoreStatistics& figures) {
  return {{"blobs", figures.blobs},
          {"blob_bytes", figures.blob_bytes},
          {"repositories", figures.repositories},
          {"manifests", figures.manifests},
          {"tags", figures.tags},
          {"open_uploads", figures.open_uploads},
          {"cache_records", figures.cache_records},
          {"disk_free_bytes", figures.disk_free_bytes}};
}

std::string AsTable(const blobstore::StoreStatistics& figures) {
  Table table({"WHAT", "VALUE"});
  table.AddRow({"blobs", absl::StrCat(figures.blobs)});
  table.AddRow({"size of blobs", HumanSize(figures.blob_bytes)});
  table.AddRow({"repositories", absl::StrCat(figures.repositories)});
  table.AddRow({"manifests", absl::StrCat(figures.manifests)});
  table.AddRow({"tags", absl::StrCat(figures.tags)});
  table.AddRow({"open uploads", absl::StrCat(figures.open_uploads)});
  table.AddRow({"build-cache records", absl::StrCat(figures.cache_records)});
  table.AddRow({"disk free for uploads", HumanSize(figures.disk_free_bytes)});
  return table.ToString();
}

}  // namespace

absl::Status RunStoreStat(Invocation& invocation) {
  CommandLine line(invocation, "store stat", "Shows what the store holds and how it is.", "");
  STRATA_ASSIGN_OR_RETURN(const auto operands, line.Parse(0, 0));
  if (!operands.has_value()) return absl::OkStatus();
  const auto store = blobstore::StoreClient::Connect(invocation.options.store);
  STRATA_ASSIGN_OR_RETURN(const blobstore::StoreStatistics figures, store->GetStatistics(invocation.Call()));
  if (invocation.options.json()) return invocation.Print(absl::StrCat(json::DumpPretty(ToJson(figures)), "\n"));
  return invocation.Print(AsTable(figures));
}

}  // namespace strata::cli
