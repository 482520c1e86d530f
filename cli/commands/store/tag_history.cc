#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "cli/commands/store/store_commands.h"
#include "cli/output/table.h"
#include "lib/base/status.h"
#include "lib/blobstore/store_client.h"
#include "lib/json/json.h"
#include "lib/oci/reference.h"

namespace strata::cli {

namespace {

using blobstore::TagChange;
using blobstore::TagHistoryEntry;

constexpr int kEntries = 10000;

const char* NameOf(TagChange change) {
  switch (change) {
    case TagChange::kBeforeHistory: return "before history";
    case TagChange::kPush: return "push";
    case TagChange::kSet: return "set";
    case TagChange::kDelete: return "delete";
    case TagChange::kManifestDeleted: return "manifest deleted";
    case TagChange::kRetention: return "retention";
  }
  return "unknown";
}

std::string TimeOf(const TagHistoryEntry& entry) { return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", entry.at, absl::UTCTimeZone()); }
std::string DigestOf(const TagHistoryEntry& entry) { return entry.digest ? entry.digest->ToString() : ""; }

}  // namespace

absl::Status RunStoreTagHistory(Invocation& invocation) {
  CommandLine line(invocation, "store tag-history",
                   "Shows what a tag pointed to, newest first, and why it changed. REPO:TAG is a name of the store, also of a tag that is gone.",
                   "REPO:TAG");
  STRATA_ASSIGN_OR_RETURN(const auto operands, line.Parse(1, 1));
  if (!operands.has_value()) return absl::OkStatus();
  STRATA_ASSIGN_OR_RETURN(const oci::Reference reference, oci::Reference::Parse((*operands)[0]));
  const auto store = blobstore::StoreClient::Connect(invocation.options.store);
  STRATA_ASSIGN_OR_RETURN(const auto page,
                          store->ListTagHistory(invocation.Call(), reference.StoreRepository({}), reference.TagOrLatest(), 0, kEntries));
  if (invocation.options.json()) {
    json::Value entries = json::Value::array();
    for (const TagHistoryEntry& entry : page.items) {
      entries.push_back({{"sequence", entry.sequence}, {"at", TimeOf(entry)}, {"change", NameOf(entry.change)}, {"digest", DigestOf(entry)}});
    }
    return invocation.Print(absl::StrCat(json::Dump(entries), "\n"));
  }
  Table table({"AT", "CHANGE", "DIGEST"});
  for (const TagHistoryEntry& entry : page.items) table.AddRow({TimeOf(entry), NameOf(entry.change), entry.digest ? DigestOf(entry) : "(none)"});
  return invocation.Print(table.ToString());
}

}  // namespace strata::cli
