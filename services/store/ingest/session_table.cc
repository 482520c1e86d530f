#include "services/store/ingest/session_table.h"

#include <optional>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "services/store/engine/keyspace.h"

namespace strata::store {

namespace {

absl::StatusOr<SessionRow> Decode(const std::optional<std::string>& bytes, absl::string_view repository,
                                  absl::string_view upload_id) {
  if (!bytes) return NoSuchUpload(upload_id);
  STRATA_ASSIGN_OR_RETURN(SessionRow row, SessionRow::Decode(*bytes));
  if (row.repository != repository) return NoSuchUpload(upload_id);
  return row;
}

}  // namespace

absl::Status NoSuchUpload(absl::string_view upload_id) {
  return absl::NotFoundError(absl::StrCat("no upload \"", absl::CHexEscape(upload_id.substr(0, 80)),
                                          "\": it was committed, cancelled, has expired, or never was; start a new one"));
}

absl::StatusOr<SessionRow> FindSession(Reader& reader, absl::string_view repository, absl::string_view upload_id) {
  STRATA_ASSIGN_OR_RETURN(const std::optional<std::string> bytes, reader.Get(Table::kFacts, keys::Session(upload_id)));
  return Decode(bytes, repository, upload_id);
}

absl::StatusOr<SessionRow> LockSession(Transaction& transaction, absl::string_view repository, absl::string_view upload_id) {
  STRATA_ASSIGN_OR_RETURN(const std::optional<std::string> bytes,
                          transaction.GetForUpdate(Table::kFacts, keys::Session(upload_id), LockMode::kExclusive));
  return Decode(bytes, repository, upload_id);
}

absl::Status PutSessionRows(Transaction& transaction, absl::string_view upload_id, const SessionRow* before, const SessionRow& row) {
  if (before != nullptr) {
    STRATA_RETURN_IF_ERROR(transaction.Delete(Table::kFacts, keys::SessionUse(before->last_write, upload_id)));
  }
  STRATA_RETURN_IF_ERROR(transaction.Put(Table::kFacts, keys::SessionUse(row.last_write, upload_id), ""));
  return transaction.Put(Table::kFacts, keys::Session(upload_id), row.Encode());
}

absl::Status RemoveSessionRows(const Core& core, Transaction& transaction, absl::string_view upload_id, const SessionRow& row) {
  core.open_sessions.Remove(transaction, row.repository);
  core.quotas.ReleaseLater(transaction, row.repository, upload_id);
  transaction.Add(keys::Counter(keys::Count::kUploads), -1);
  STRATA_RETURN_IF_ERROR(transaction.Delete(Table::kFacts, keys::SessionUse(row.last_write, upload_id)));
  STRATA_RETURN_IF_ERROR(transaction.Delete(Table::kFacts, keys::Session(upload_id)));
  if (row.layout != Layout::kInline || row.offset_bytes == 0) return absl::OkStatus();
  return transaction.Delete(Table::kContent, keys::InlineBytes(row.blob_id));
}

void SessionClaims::Claim::Release() {
  if (owner_ == nullptr) return;
  MutexLock lock(owner_->mutex_);
  owner_->taken_.erase(upload_id_);
  owner_ = nullptr;
}

absl::StatusOr<SessionClaims::Claim> SessionClaims::Take(absl::string_view upload_id) {
  MutexLock lock(mutex_);
  if (!taken_.insert(std::string(upload_id)).second) {
    return absl::AbortedError(absl::StrCat("upload \"", upload_id, "\" is being written by another request; retry when it ends"));
  }
  return Claim(this, std::string(upload_id));
}

bool SessionClaims::IsTaken(absl::string_view upload_id) const {
  MutexLock lock(mutex_);
  return taken_.contains(std::string(upload_id));
}

}  // namespace strata::store
