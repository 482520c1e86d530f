#include "services/store/engine/blob_table.h"

#include <algorithm>
#include <string>

#include "lib/base/status.h"
#include "lib/blobstore/blob_store.h"
#include "services/store/engine/keyspace.h"
#include "services/store/engine/quarantine.h"

namespace strata::store {

namespace {

constexpr size_t kMarksATransaction = 1000;

absl::StatusOr<std::optional<BlobRow>> DecodeBlob(const std::optional<std::string>& bytes) {
  if (!bytes) return std::optional<BlobRow>();
  STRATA_ASSIGN_OR_RETURN(BlobRow row, BlobRow::Decode(*bytes));
  return std::optional<BlobRow>(row);
}

// Charges the quotas with the blob, or with less by it, when the repository comes to have the link, or loses it. What other services
// hold under reserved names is never looked up.
absl::Status ChargeBlob(const Core& core, Transaction& transaction, absl::string_view repository, const Digest& digest, int sign) {
  STRATA_ASSIGN_OR_RETURN(const bool is_watched, core.quotas.Watches(transaction, repository));
  if (!is_watched) return absl::OkStatus();
  STRATA_ASSIGN_OR_RETURN(
      const std::optional<std::string> link,
      transaction.GetForUpdate(Table::kFacts, keys::Link(repository, digest), LockMode::kExclusive));
  const bool is_changed = link.has_value() == (sign < 0);
  if (!is_changed) return absl::OkStatus();
  STRATA_ASSIGN_OR_RETURN(const std::optional<BlobRow> blob, FindBlob(transaction, digest));
  return core.quotas.Charge(transaction, repository, blob ? sign * static_cast<int64_t>(blob->size_bytes) : 0, 0);
}

absl::Status ReviewBlobAt(Transaction& transaction, const Digest& digest, absl::Time due) {
  keys::Review review;
  review.kind = keys::Review::Kind::kBlob;
  review.digest = digest;
  review.due = due;
  return transaction.Put(Table::kFacts, keys::ReviewKey(review), "");
}

}  // namespace

absl::StatusOr<std::optional<BlobRow>> FindBlob(Reader& reader, const Digest& digest) {
  STRATA_ASSIGN_OR_RETURN(const std::optional<std::string> bytes, reader.Get(Table::kFacts, keys::Blob(digest)));
  return DecodeBlob(bytes);
}

absl::StatusOr<std::optional<BlobRow>> LockBlob(Transaction& transaction, const Digest& digest, LockMode mode) {
  STRATA_ASSIGN_OR_RETURN(const std::optional<std::string> bytes,
                          transaction.GetForUpdate(Table::kFacts, keys::Blob(digest), mode));
  return DecodeBlob(bytes);
}

absl::StatusOr<bool> HasLink(Reader& reader, absl::string_view repository, const Digest& digest) {
  STRATA_ASSIGN_OR_RETURN(const std::optional<std::string> bytes, reader.Get(Table::kFacts, keys::Link(repository, digest)));
  return bytes.has_value();
}

absl::StatusOr<bool> LockLink(Transaction& transaction, absl::string_view repository, const Digest& digest) {
  STRATA_ASSIGN_OR_RETURN(
      const std::optional<std::string> bytes,
      transaction.GetForUpdate(Table::kFacts, keys::Link(repository, digest), LockMode::kShared));
  return bytes.has_value();
}

absl::Status AddLink(const Core& core, Transaction& transaction, absl::string_view repository, const Digest& digest) {
  STRATA_RETURN_IF_ERROR(ChargeBlob(core, transaction, repository, digest, 1));
  LinkRow row;
  row.linked = core.clock.Now();
  STRATA_RETURN_IF_ERROR(transaction.Put(Table::kFacts, keys::Link(repository, digest), row.Encode()));
  STRATA_RETURN_IF_ERROR(transaction.Put(Table::kFacts, keys::LinkOfBlob(digest, repository), ""));
  return ReviewLinkLater(core, transaction, repository, digest);
}

absl::Status EndLease(const Core& core, Transaction& transaction, absl::string_view repository, const Digest& digest) {
  LinkRow row;
  row.linked = absl::UnixEpoch();
  STRATA_RETURN_IF_ERROR(transaction.Put(Table::kFacts, keys::Link(repository, digest), row.Encode()));
  return ReviewLinkLater(core, transaction, repository, digest);
}

absl::StatusOr<bool> IsLinkNeeded(Reader& reader, absl::string_view repository, const Digest& digest) {
  STRATA_ASSIGN_OR_RETURN(const bool is_named, HasRows(reader, keys::EdgesTo(keys::Edge::kToBlob, repository, digest)));
  if (is_named || repository != blobstore::kBuildRepository) return is_named;
  return HasRows(reader, keys::CacheNeeds(digest));
}

absl::Time GraceEnd(const Core& core) { return core.clock.Now() + core.options.grace; }

absl::Status RemoveLink(const Core& core, Transaction& transaction, absl::string_view repository, const Digest& digest,
                        absl::Time review_at) {
  STRATA_RETURN_IF_ERROR(ChargeBlob(core, transaction, repository, digest, -1));
  STRATA_RETURN_IF_ERROR(transaction.Delete(Table::kFacts, keys::Link(repository, digest)));
  STRATA_RETURN_IF_ERROR(transaction.Delete(Table::kFacts, keys::LinkOfBlob(digest, repository)));
  return ReviewBlobAt(transaction, digest, review_at);
}

absl::Status RemoveBlobRows(Transaction& transaction, const Digest& digest, const BlobRow& row) {
  STRATA_RETURN_IF_ERROR(transaction.Delete(Table::kFacts, keys::Blob(digest)));
  if (row.is_quarantined) STRATA_RETURN_IF_ERROR(EndQuarantine(transaction, digest));
  transaction.Add(keys::Counter(keys::Count::kBlobs), -1);
  transaction.Add(keys::Counter(keys::Count::kBlobBytes), -static_cast<int64_t>(row.size_bytes));
  if (row.layout == Layout::kInline) return transaction.Delete(Table::kContent, keys::InlineBytes(row.id));
  STRATA_RETURN_IF_ERROR(transaction.Delete(Table::kContent, keys::PieceChecksums(row.id)));
  return transaction.Put(Table::kFacts, keys::DoomedExtent(row.id), "");
}

absl::Status ReviewBlobLater(const Core& core, Transaction& transaction, const Digest& digest) {
  return ReviewBlobAt(transaction, digest, GraceEnd(core));
}

absl::Status ReviewLinkLater(const Core& core, Transaction& transaction, absl::string_view repository, const Digest& digest) {
  keys::Review review;
  review.kind = keys::Review::Kind::kLink;
  review.digest = digest;
  review.repository = std::string(repository);
  review.due = GraceEnd(core);
  return transaction.Put(Table::kFacts, keys::ReviewKey(review), "");
}

absl::StatusOr<int64_t> RemoveDoomedExtent(const Core& core, uint64_t id) {
  if (core.removal_hold.Defer(id)) return 0;
  STRATA_ASSIGN_OR_RETURN(const int64_t freed, core.extents.Remove(id));
  core.removed_extents.Add(id);
  return freed;
}

absl::Status ForgetRemovedExtents(const Core& core) {
  const std::vector<uint64_t> ids = core.removed_extents.TakeAll();
  if (ids.empty()) return absl::OkStatus();
  // When this fails the marks stay, and the next start removes once more.
  STRATA_RETURN_IF_ERROR(core.extents.SyncRemovals(ids));
  for (absl::Span<const uint64_t> rest = ids; !rest.empty();) {
    const absl::Span<const uint64_t> some = rest.subspan(0, kMarksATransaction);
    rest.remove_prefix(some.size());
    STRATA_RETURN_IF_ERROR(InTransaction(core.kv, Durability::kBuffered, [&](Transaction& transaction) -> absl::Status {
      for (const uint64_t id : some) STRATA_RETURN_IF_ERROR(transaction.Delete(Table::kFacts, keys::DoomedExtent(id)));
      return absl::OkStatus();
    }));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> HasRows(Reader& reader, absl::string_view prefix) {
  const std::unique_ptr<Cursor> cursor = reader.Scan(Table::kFacts, prefix);
  STRATA_RETURN_IF_ERROR(cursor->status());
  return cursor->valid();
}

std::vector<Digest> SortedUnique(absl::Span<const Digest> digests) {
  std::vector<Digest> sorted(digests.begin(), digests.end());
  std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  return sorted;
}

}  // namespace strata::store
