#include "services/store/engine/quarantine.h"

#include <optional>

#include "lib/base/status.h"
#include "services/store/engine/blob_table.h"
#include "services/store/engine/keyspace.h"

namespace strata::store {

absl::StatusOr<bool> QuarantineBlob(const Core& core, const Digest& digest, uint64_t id, absl::string_view reason) {
  bool is_news = false;
  STRATA_RETURN_IF_ERROR(InTransaction(core.kv, Durability::kSynced, [&](Transaction& transaction) -> absl::Status {
    is_news = false;
    STRATA_ASSIGN_OR_RETURN(std::optional<BlobRow> row, LockBlob(transaction, digest, LockMode::kExclusive));
    if (!row || row->id != id) return absl::OkStatus();
    STRATA_ASSIGN_OR_RETURN(const std::optional<std::string> note, transaction.Get(Table::kFacts, keys::Quarantine(digest)));
    if (note) return absl::OkStatus();
    is_news = true;
    row->is_quarantined = true;
    QuarantineRow quarantine;
    quarantine.since = core.clock.Now();
    quarantine.reason = std::string(reason.substr(0, 512));
    transaction.Add(keys::Counter(keys::Count::kQuarantined), 1);
    STRATA_RETURN_IF_ERROR(transaction.Put(Table::kFacts, keys::Quarantine(digest), quarantine.Encode()));
    return transaction.Put(Table::kFacts, keys::Blob(digest), row->Encode());
  }));
  if (is_news && core.options.on_quarantine) core.options.on_quarantine(digest, reason);
  return is_news;
}

absl::StatusOr<bool> ReleaseBlob(const Core& core, const Digest& digest, uint64_t id) {
  bool is_released = false;
  STRATA_RETURN_IF_ERROR(InTransaction(core.kv, Durability::kSynced, [&](Transaction& transaction) -> absl::Status {
    is_released = false;
    STRATA_ASSIGN_OR_RETURN(std::optional<BlobRow> row, LockBlob(transaction, digest, LockMode::kExclusive));
    if (!row || row->id != id || !row->is_quarantined) return absl::OkStatus();
    is_released = true;
    row->is_quarantined = false;
    STRATA_RETURN_IF_ERROR(EndQuarantine(transaction, digest));
    return transaction.Put(Table::kFacts, keys::Blob(digest), row->Encode());
  }));
  return is_released;
}

absl::Status EndQuarantine(Transaction& transaction, const Digest& digest) {
  // Blobs that an older version quarantined have no note.
  STRATA_ASSIGN_OR_RETURN(const std::optional<std::string> note, transaction.Get(Table::kFacts, keys::Quarantine(digest)));
  if (!note) return absl::OkStatus();
  transaction.Add(keys::Counter(keys::Count::kQuarantined), -1);
  return transaction.Delete(Table::kFacts, keys::Quarantine(digest));
}

}  // namespace strata::store
