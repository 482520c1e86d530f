#include "services/store/maintenance.h"

#include <sys/statvfs.h>

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "services/store/engine/blob_table.h"
#include "services/store/engine/keyspace.h"
#include "services/store/engine/rows.h"

namespace strata::store {

namespace {

constexpr int64_t kMostDue = 100'000;
constexpr size_t kMostNames = 100;

absl::StatusOr<int64_t> DiskBytes(const std::string& path) {
  struct statvfs info = {};
  if (::statvfs(path.c_str(), &info) != 0) return ErrnoStatus(errno, "statvfs");
  return static_cast<int64_t>(info.f_blocks) * static_cast<int64_t>(info.f_frsize);
}

absl::Status CountDue(Reader& facts, absl::Time now, MaintenanceStatus* status) {
  const std::unique_ptr<Cursor> cursor = facts.Scan(Table::kFacts, keys::Reviews());
  for (; cursor->valid() && status->collector_due < kMostDue; cursor->Next()) {
    STRATA_ASSIGN_OR_RETURN(const keys::Review review, keys::ParseReview(cursor->key()));
    if (review.due > now) break;
    if (!status->collector_oldest_due) status->collector_oldest_due = review.due;
    ++status->collector_due;
  }
  return cursor->status();
}

// "app@sha256:… 1.4 latest"
absl::StatusOr<std::string> NameManifest(Reader& facts, const std::string& repository, const Digest& digest) {
  std::string name = absl::StrCat(repository, "@", digest.ToString());
  const std::string prefix = keys::TagsOfManifest(repository, digest);
  const std::unique_ptr<Cursor> tags = facts.Scan(Table::kFacts, prefix);
  for (size_t i = 0; tags->valid() && i < kMostNames; tags->Next(), ++i) absl::StrAppend(&name, " ", keys::TextBehind(prefix, tags->key()));
  STRATA_RETURN_IF_ERROR(tags->status());
  return name;
}

absl::Status FindUsers(Reader& facts, QuarantinedBlob* blob) {
  const std::string prefix = keys::LinksOfBlob(blob->digest);
  const std::unique_ptr<Cursor> links = facts.Scan(Table::kFacts, prefix);
  for (; links->valid() && blob->repositories.size() < kMostNames; links->Next()) {
    const std::string repository = keys::TextBehind(prefix, links->key());
    blob->repositories.push_back(repository);
    const std::string edges = keys::EdgesTo(keys::Edge::kToBlob, repository, blob->digest);
    const std::unique_ptr<Cursor> parents = facts.Scan(Table::kFacts, edges);
    for (; parents->valid() && blob->named_by.size() < kMostNames; parents->Next()) {
      STRATA_ASSIGN_OR_RETURN(const Digest parent, keys::DigestBehind(edges, parents->key()));
      STRATA_ASSIGN_OR_RETURN(std::string name, NameManifest(facts, repository, parent));
      blob->named_by.push_back(std::move(name));
    }
    STRATA_RETURN_IF_ERROR(parents->status());
  }
  STRATA_RETURN_IF_ERROR(links->status());
  STRATA_ASSIGN_OR_RETURN(blob->is_cached, HasRows(facts, keys::CacheNeeds(blob->digest)));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<MaintenanceStatus> Maintenance::Status() {
  MaintenanceStatus status;
  STRATA_ASSIGN_OR_RETURN(status.disk_total_bytes, DiskBytes(core_.options.data_dir));
  STRATA_ASSIGN_OR_RETURN(status.disk_free_bytes, core_.extents.FreeBytes());
  STRATA_ASSIGN_OR_RETURN(status.quarantined, core_.kv.ReadCounter(keys::Counter(keys::Count::kQuarantined)));
  STRATA_RETURN_IF_ERROR(CountDue(*core_.kv.Snapshot(), core_.clock.Now(), &status));
  status.scrub_enabled = scrubber_.is_enabled();
  STRATA_ASSIGN_OR_RETURN(status.scrub, scrubber_.Progress());
  status.last_backup = backups_.last();
  return status;
}

absl::StatusOr<VerifySummary> Maintenance::Verify(const CallContext& context, bool is_deep, VerifyObserver& observer) {
  {
    MutexLock lock(mutex_);
    if (verifies_) return absl::AbortedError("another verification of this store runs; try again when it has ended");
    verifies_ = true;
  }
  absl::StatusOr<VerifySummary> summary = VerifyStore(context, core_, is_deep, observer);
  MutexLock lock(mutex_);
  verifies_ = false;
  return summary;
}

absl::StatusOr<ListPage<QuarantinedBlob>> Maintenance::ListQuarantined(const std::optional<Digest>& last, int limit) {
  const std::string prefix = keys::Quarantines();
  const std::unique_ptr<Reader> facts = core_.kv.Snapshot();
  const std::unique_ptr<Cursor> cursor = facts->Scan(Table::kFacts, prefix, last ? keys::After(keys::Quarantine(*last)) : "");
  ListPage<QuarantinedBlob> page;
  for (; cursor->valid(); cursor->Next()) {
    page.has_more = page.items.size() == static_cast<size_t>(limit);
    if (page.has_more) break;
    STRATA_ASSIGN_OR_RETURN(const QuarantineRow note, QuarantineRow::Decode(cursor->value()));
    QuarantinedBlob blob;
    STRATA_ASSIGN_OR_RETURN(blob.digest, keys::DigestBehind(prefix, cursor->key()));
    blob.since = note.since;
    blob.reason = note.reason;
    STRATA_ASSIGN_OR_RETURN(const std::optional<BlobRow> row, FindBlob(*facts, blob.digest));
    if (row) blob.size_bytes = row->size_bytes;
    STRATA_RETURN_IF_ERROR(FindUsers(*facts, &blob));
    page.items.push_back(std::move(blob));
  }
  STRATA_RETURN_IF_ERROR(cursor->status());
  return page;
}

absl::StatusOr<Examination> Maintenance::Recheck(const CallContext& context, const Digest& digest) {
  return RecheckBlob(core_, digest, [&context](size_t) { return context.Check(); });
}

absl::StatusOr<BackupSummary> Maintenance::Backup(const CallContext& context, absl::string_view name, int keep,
                                                  const OnBackupProgress& on_progress) {
  return backups_.Make(context, name, keep, on_progress);
}

absl::StatusOr<ListPage<UploadSession>> Maintenance::ListUploads(absl::string_view last, int limit) {
  const std::string prefix = keys::Sessions();
  const std::unique_ptr<Reader> facts = core_.kv.Snapshot();
  const std::unique_ptr<Cursor> cursor = facts->Scan(Table::kFacts, prefix, last.empty() ? "" : keys::After(keys::Session(last)));
  ListPage<UploadSession> page;
  for (; cursor->valid(); cursor->Next()) {
    page.has_more = page.items.size() == static_cast<size_t>(limit);
    if (page.has_more) break;
    STRATA_ASSIGN_OR_RETURN(const SessionRow row, SessionRow::Decode(cursor->value()));
    page.items.push_back({keys::TextBehind(prefix, cursor->key()), row.repository, row.offset_bytes, row.started, row.last_write});
  }
  STRATA_RETURN_IF_ERROR(cursor->status());
  return page;
}

}  // namespace strata::store
