#include "services/store/engine/cache_records.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/blobstore/blob_store.h"
#include "services/store/engine/blob_table.h"
#include "services/store/engine/keyspace.h"
#include "services/store/engine/rows.h"

namespace strata::store {

namespace {

constexpr size_t kMaxKeyBytes = 256;
constexpr size_t kMaxValueBytes = 1 << 20;
constexpr size_t kMaxNeeds = 10000;
constexpr absl::Duration kUseResolution = absl::Seconds(1);

absl::StatusOr<std::optional<CacheRow>> Decode(const absl::StatusOr<std::optional<std::string>>& bytes) {
  if (!bytes.ok()) return bytes.status();
  if (!*bytes) return std::optional<CacheRow>();
  STRATA_ASSIGN_OR_RETURN(CacheRow row, CacheRow::Decode(**bytes));
  return std::optional<CacheRow>(std::move(row));
}

absl::Status NoSuchRecord(absl::string_view key) {
  return absl::NotFoundError(absl::StrCat("no cache record \"", absl::CHexEscape(key.substr(0, 80)), "\""));
}

absl::Status CheckSizes(absl::string_view key, absl::string_view value, size_t needs) {
  if (key.empty() || key.size() > kMaxKeyBytes) {
    return absl::InvalidArgumentError(absl::StrCat("a cache key of ", key.size(), " bytes; 1 to ", kMaxKeyBytes, " are taken"));
  }
  if (value.size() > kMaxValueBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("a cache record of ", value.size(), " bytes; at most ", kMaxValueBytes, " are taken"));
  }
  if (needs <= kMaxNeeds) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("a cache record that needs ", needs, " blobs; at most ", kMaxNeeds, " are taken"));
}

// The caller has locked the record exclusively.
absl::Status RemoveRows(const Core& core, Transaction& transaction, absl::string_view key, const CacheRow& row) {
  for (const Digest& digest : row.needs) {
    STRATA_RETURN_IF_ERROR(transaction.Delete(Table::kFacts, keys::CacheNeed(digest, key)));
    STRATA_RETURN_IF_ERROR(ReviewBlobLater(core, transaction, digest));
    STRATA_ASSIGN_OR_RETURN(const bool is_in_build, HasLink(transaction, blobstore::kBuildRepository, digest));
    // The builder's link stayed for this record's sake.
    if (is_in_build) STRATA_RETURN_IF_ERROR(ReviewLinkLater(core, transaction, blobstore::kBuildRepository, digest));
  }
  STRATA_RETURN_IF_ERROR(transaction.Delete(Table::kFacts, keys::CacheUse(row.last_used, key)));
  STRATA_RETURN_IF_ERROR(transaction.Delete(Table::kFacts, keys::CacheRecord(key)));
  return transaction.Delete(Table::kContent, keys::CacheValue(key));
}

absl::StatusOr<std::optional<CacheRow>> LockRecord(Transaction& transaction, absl::string_view key) {
  return Decode(transaction.GetForUpdate(Table::kFacts, keys::CacheRecord(key), LockMode::kExclusive));
}

absl::Status Drop(const Core& core, absl::string_view key) {
  return InTransaction(core.kv, Durability::kBuffered, [&](Transaction& transaction) -> absl::Status {
    STRATA_ASSIGN_OR_RETURN(const std::optional<CacheRow> row, LockRecord(transaction, key));
    if (!row) return absl::OkStatus();
    transaction.Add(keys::Counter(keys::Count::kCacheRecords), -1);
    return RemoveRows(core, transaction, key, *row);
  });
}

}  // namespace

absl::StatusOr<std::string> CacheRecords::Get(absl::string_view key) {
  STRATA_ASSIGN_OR_RETURN(const std::optional<CacheRow> row, Decode(core_.kv.Get(Table::kFacts, keys::CacheRecord(key))));
  if (!row) return NoSuchRecord(key);
  for (const Digest& digest : row->needs) {
    STRATA_ASSIGN_OR_RETURN(const std::optional<BlobRow> blob, FindBlob(core_.kv, digest));
    if (IsServed(blob)) continue;
    STRATA_RETURN_IF_ERROR(Drop(core_, key));
    return NoSuchRecord(key);
  }
  STRATA_ASSIGN_OR_RETURN(std::optional<std::string> value, core_.kv.Get(Table::kContent, keys::CacheValue(key)));
  if (!value) return NoSuchRecord(key);
  if (core_.clock.Now() - row->last_used >= kUseResolution) STRATA_RETURN_IF_ERROR(NoteUse(key));
  return *std::move(value);
}

absl::Status CacheRecords::NoteUse(absl::string_view key) {
  const absl::Status status = InTransaction(core_.kv, Durability::kBuffered, [&](Transaction& transaction) -> absl::Status {
    STRATA_ASSIGN_OR_RETURN(std::optional<CacheRow> row, LockRecord(transaction, key));
    if (!row) return absl::OkStatus();
    STRATA_RETURN_IF_ERROR(transaction.Delete(Table::kFacts, keys::CacheUse(row->last_used, key)));
    row->last_used = core_.clock.Now();
    STRATA_RETURN_IF_ERROR(transaction.Put(Table::kFacts, keys::CacheUse(row->last_used, key), ""));
    return transaction.Put(Table::kFacts, keys::CacheRecord(key), row->Encode());
  });
  // Reads go on when the disk is full or the record is busy; the use is noted another time.
  if (absl::IsResourceExhausted(status) || absl::IsAborted(status)) return absl::OkStatus();
  return status;
}

absl::Status CacheRecords::Put(absl::string_view key, absl::string_view value, absl::Span<const Digest> needs) {
  STRATA_RETURN_IF_ERROR(CheckSizes(key, value, needs.size()));
  STRATA_RETURN_IF_ERROR(core_.extents.CheckSpace());
  CacheRow row;
  row.needs = SortedUnique(needs);
  return InTransaction(core_.kv, Durability::kSynced, [&](Transaction& transaction) -> absl::Status {
    row.last_used = core_.clock.Now();
    for (const Digest& digest : row.needs) {
      STRATA_ASSIGN_OR_RETURN(const std::optional<BlobRow> blob, LockBlob(transaction, digest, LockMode::kShared));
      if (IsServed(blob)) continue;
      return absl::FailedPreconditionError(
          absl::StrCat("the record needs blob ", digest.ToString(), ", which the store does not have; upload it first"));
    }
    STRATA_ASSIGN_OR_RETURN(const std::optional<CacheRow> before, LockRecord(transaction, key));
    if (before) STRATA_RETURN_IF_ERROR(RemoveRows(core_, transaction, key, *before));
    if (!before) transaction.Add(keys::Counter(keys::Count::kCacheRecords), 1);
    for (const Digest& digest : row.needs) {
      STRATA_RETURN_IF_ERROR(transaction.Put(Table::kFacts, keys::CacheNeed(digest, key), ""));
    }
    STRATA_RETURN_IF_ERROR(transaction.Put(Table::kFacts, keys::CacheUse(row.last_used, key), ""));
    STRATA_RETURN_IF_ERROR(transaction.Put(Table::kContent, keys::CacheValue(key), value));
    return transaction.Put(Table::kFacts, keys::CacheRecord(key), row.Encode());
  });
}

absl::StatusOr<int64_t> CacheRecords::Prune(absl::Time unused_since) {
  int64_t removed = 0;
  const std::unique_ptr<Cursor> cursor = core_.kv.Scan(Table::kFacts, keys::CacheUses());
  for (; cursor->valid(); cursor->Next()) {
    STRATA_ASSIGN_OR_RETURN(const auto use, keys::ParseCacheUse(cursor->key()));
    if (use.first >= unused_since) break;
    const std::string& key = use.second;
    bool is_removed = false;
    STRATA_RETURN_IF_ERROR(InTransaction(core_.kv, Durability::kBuffered, [&](Transaction& transaction) -> absl::Status {
      is_removed = false;
      STRATA_ASSIGN_OR_RETURN(const std::optional<CacheRow> row, LockRecord(transaction, key));
      // Used or removed since the scan began.
      if (!row || row->last_used >= unused_since) return absl::OkStatus();
      is_removed = true;
      transaction.Add(keys::Counter(keys::Count::kCacheRecords), -1);
      return RemoveRows(core_, transaction, key, *row);
    }));
    if (is_removed) ++removed;
  }
  STRATA_RETURN_IF_ERROR(cursor->status());
  return removed;
}

}  // namespace strata::store
