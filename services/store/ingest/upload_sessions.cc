#include "services/store/ingest/upload_sessions.h"

#include <sys/random.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/blobstore/errors.h"
#include "services/store/engine/blob_table.h"
#include "services/store/engine/keyspace.h"
#include "services/store/ingest/upload_content.h"
#include "services/store/ingest/upload_writer.h"

namespace strata::store {

namespace {

absl::StatusOr<std::string> NewUploadId() {
  std::string bytes(16, '\0');
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    return ErrnoStatus(errno, "getrandom");
  }
  return absl::BytesToHexString(bytes);
}

// What a session holds behind its recorded offset was never acknowledged. Puts the ids of removed extents into `removed`.
absl::Status CutBehindOffset(const Core& core, const SessionRow& row, std::vector<uint64_t>* removed) {
  if (row.layout == Layout::kExtent) return core.extents.Append(row.blob_id, row.offset_bytes).status();
  removed->push_back(row.blob_id);
  return core.extents.Remove(row.blob_id).status();
}

}  // namespace

absl::Status UploadSessions::Recover() {
  std::vector<uint64_t> doomed;
  const std::string prefix = keys::DoomedExtents();
  const std::unique_ptr<Cursor> extents = core_.kv.Scan(Table::kFacts, prefix);
  for (; extents->valid(); extents->Next()) {
    STRATA_ASSIGN_OR_RETURN(const uint64_t id, keys::IdBehind(prefix, extents->key()));
    doomed.push_back(id);
  }
  STRATA_RETURN_IF_ERROR(extents->status());
  for (uint64_t id : doomed) STRATA_RETURN_IF_ERROR(RemoveDoomedExtent(core_, id).status());
  STRATA_RETURN_IF_ERROR(ForgetRemovedExtents(core_));

  std::vector<uint64_t> removed;
  const std::unique_ptr<Cursor> sessions = core_.kv.Scan(Table::kFacts, keys::Sessions());
  for (; sessions->valid(); sessions->Next()) {
    STRATA_ASSIGN_OR_RETURN(const SessionRow row, SessionRow::Decode(sessions->value()));
    core_.open_sessions.Found(row.repository);
    core_.quotas.SetReserved(row.repository, keys::TextBehind(keys::Sessions(), sessions->key()), row.offset_bytes);
    const absl::Status cut = CutBehindOffset(core_, row, &removed);
    // kAborted: a process that had the extent's descriptor from the store that died. The next writer of the session waits for it.
    if (cut.ok() || absl::IsAborted(cut)) continue;
    if (!absl::IsDataLoss(cut)) return cut;
    // Its bytes are gone: better that the client learns "no such upload" and starts again than that every write fails.
    STRATA_RETURN_IF_ERROR(Discard(row.repository, keys::TextBehind(keys::Sessions(), sessions->key()), std::nullopt));
  }
  STRATA_RETURN_IF_ERROR(sessions->status());
  // Otherwise they could be back after a power loss, when their sessions have become blobs that are kept elsewhere.
  return core_.extents.SyncRemovals(removed);
}

absl::StatusOr<std::string> UploadSessions::Start(absl::string_view repository, DigestAlgorithm algorithm) {
  STRATA_RETURN_IF_ERROR(CheckRepository(repository));
  STRATA_RETURN_IF_ERROR(core_.extents.CheckSpace());
  STRATA_ASSIGN_OR_RETURN(const std::string upload_id, NewUploadId());
  STRATA_RETURN_IF_ERROR(core_.quotas.CheckNotFull(repository));
  SessionRow row;
  row.repository = std::string(repository);
  STRATA_ASSIGN_OR_RETURN(row.blob_id, core_.blob_ids.Next());
  row.hash_state = Hasher(algorithm).SaveState();
  row.checksum_state = PieceChecksums().SaveState();
  row.started = core_.clock.Now();
  row.last_write = row.started;
  STRATA_RETURN_IF_ERROR(InTransaction(core_.kv, Durability::kSynced, [&](Transaction& transaction) -> absl::Status {
    STRATA_RETURN_IF_ERROR(core_.open_sessions.Add(transaction, repository));
    transaction.Add(keys::Counter(keys::Count::kUploads), 1);
    return PutSessionRows(transaction, upload_id, nullptr, row);
  }));
  core_.AtCommitPoint("upload.started");
  return upload_id;
}

absl::StatusOr<blobstore::UploadInfo> UploadSessions::Get(absl::string_view repository, absl::string_view upload_id) {
  STRATA_ASSIGN_OR_RETURN(const SessionRow row, FindSession(core_.kv, repository, upload_id));
  blobstore::UploadInfo info;
  info.id = std::string(upload_id);
  info.offset_bytes = row.offset_bytes;
  info.started = row.started;
  info.last_write = row.last_write;
  return info;
}

absl::Status UploadSessions::Cancel(absl::string_view repository, absl::string_view upload_id) {
  return Discard(repository, upload_id, std::nullopt);
}

absl::Status UploadSessions::Discard(absl::string_view repository, absl::string_view upload_id,
                                     std::optional<absl::Time> idle_since) {
  std::optional<uint64_t> doomed;
  STRATA_RETURN_IF_ERROR(InTransaction(core_.kv, Durability::kSynced, [&](Transaction& transaction) -> absl::Status {
    doomed.reset();
    STRATA_ASSIGN_OR_RETURN(const SessionRow row, LockSession(transaction, repository, upload_id));
    if (idle_since && row.last_write >= *idle_since) return absl::OkStatus();
    STRATA_RETURN_IF_ERROR(RemoveSessionRows(core_, transaction, upload_id, row));
    STRATA_RETURN_IF_ERROR(transaction.Put(Table::kFacts, keys::DoomedExtent(row.blob_id), ""));
    doomed = row.blob_id;
    return absl::OkStatus();
  }));
  if (!doomed) return absl::OkStatus();
  // A writer that is still at it may yet make the extent: it finds its session gone and removes it, or the next start does.
  if (claims_.IsTaken(upload_id)) return core_.extents.Remove(*doomed).status();
  return RemoveDoomedExtent(core_, *doomed).status();
}

absl::StatusOr<std::unique_ptr<blobstore::UploadWriter>> UploadSessions::Open(absl::string_view repository,
                                                                              absl::string_view upload_id,
                                                                              std::optional<uint64_t> offset_bytes,
                                                                              uint64_t incoming_bytes) {
  STRATA_RETURN_IF_ERROR(FindSession(core_.kv, repository, upload_id).status());
  STRATA_ASSIGN_OR_RETURN(SessionClaims::Claim claim, claims_.Take(upload_id));
  STRATA_ASSIGN_OR_RETURN(SessionRow row, FindSession(core_.kv, repository, upload_id));
  if (offset_bytes && *offset_bytes != row.offset_bytes) {
    return blobstore::WrongOffsetError(row.offset_bytes, absl::StrCat("upload \"", upload_id, "\" holds ", row.offset_bytes,
                                                                      " bytes; a write must start there, not at ", *offset_bytes));
  }
  if (incoming_bytes > 0) {
    const absl::Status fits = core_.quotas.Reserve(repository, upload_id, row.offset_bytes + incoming_bytes);
    if (!fits.ok()) return Annotate(fits, absl::StrCat("upload \"", upload_id, "\""));
  }
  absl::StatusOr<std::unique_ptr<UploadContent>> content = UploadContent::Open(core_, slots_, row);
  if (!content.ok()) {
    core_.quotas.SetReserved(repository, upload_id, row.offset_bytes);
    return Annotate(content.status(), absl::StrCat("upload \"", upload_id, "\""));
  }
  return NewUploadWriter(core_, std::move(claim), std::string(upload_id), std::move(row), *std::move(content));
}

absl::StatusOr<int> UploadSessions::ExpireIdle() {
  const absl::Time idle_since = core_.clock.Now() - core_.options.session_ttl;
  int expired = 0;
  const std::unique_ptr<Cursor> uses = core_.kv.Scan(Table::kFacts, keys::SessionUses());
  for (; uses->valid(); uses->Next()) {
    STRATA_ASSIGN_OR_RETURN(const auto use, keys::ParseUse(uses->key()));
    if (use.first >= idle_since) break;
    if (claims_.IsTaken(use.second)) continue;
    STRATA_ASSIGN_OR_RETURN(const std::optional<std::string> bytes, core_.kv.Get(Table::kFacts, keys::Session(use.second)));
    // Ended since the scan began.
    if (!bytes) continue;
    STRATA_ASSIGN_OR_RETURN(const SessionRow row, SessionRow::Decode(*bytes));
    const absl::Status status = Discard(row.repository, use.second, idle_since);
    if (!status.ok() && !absl::IsNotFound(status)) return status;
    ++expired;
  }
  STRATA_RETURN_IF_ERROR(uses->status());
  return expired;
}

}  // namespace strata::store
