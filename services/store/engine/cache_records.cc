#include "services/store/engine/cache_records.h"

#include <algorithm>
#include <map>
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

using blobstore::PruneReport;

constexpr size_t kMaxKeyBytes = 256;
constexpr size_t kMaxValueBytes = 1 << 20;
constexpr size_t kMaxNeeds = 10000;
constexpr absl::Duration kUseResolution = absl::Minutes(1);

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

// The record comes to need a blob that is there. Adds to `bytes` what the cache is charged more. Records that share a blob pass each
// other: the first one makes the row, later ones hold it shared.
absl::Status AddNeed(Transaction& transaction, absl::string_view key, const Digest& digest, uint64_t size_bytes, int64_t* bytes) {
  STRATA_RETURN_IF_ERROR(transaction.Put(Table::kFacts, keys::CacheNeed(digest, key), ""));
  const std::string charge = keys::ChargedBlob(digest);
  STRATA_ASSIGN_OR_RETURN(const std::optional<std::string> seen, transaction.Get(Table::kFacts, charge));
  STRATA_ASSIGN_OR_RETURN(const std::optional<std::string> row,
                          transaction.GetForUpdate(Table::kFacts, charge, seen ? LockMode::kShared : LockMode::kExclusive));
  if (row) return absl::OkStatus();
  if (seen) return ConflictError("the last other record that needed the blob went at this moment");
  *bytes += static_cast<int64_t>(size_bytes);
  return transaction.Put(Table::kFacts, charge, ChargedBlobRow{size_bytes}.Encode());
}

// The record needs the blob no longer. Takes from `bytes` what the cache is charged less.
absl::Status RemoveNeed(const Core& core, Transaction& transaction, absl::string_view key, const Digest& digest, int64_t* bytes) {
  STRATA_ASSIGN_OR_RETURN(const std::optional<std::string> row,
                          transaction.GetForUpdate(Table::kFacts, keys::ChargedBlob(digest), LockMode::kExclusive));
  STRATA_RETURN_IF_ERROR(transaction.Delete(Table::kFacts, keys::CacheNeed(digest, key)));
  STRATA_RETURN_IF_ERROR(ReviewBlobLater(core, transaction, digest));
  STRATA_ASSIGN_OR_RETURN(const bool is_in_build, HasLink(transaction, blobstore::kBuildRepository, digest));
  // The builder's link stayed for this record's sake.
  if (is_in_build) STRATA_RETURN_IF_ERROR(ReviewLinkLater(core, transaction, blobstore::kBuildRepository, digest));
  STRATA_ASSIGN_OR_RETURN(const bool is_needed, HasRows(transaction, keys::CacheNeeds(digest)));
  if (is_needed || !row) return absl::OkStatus();
  STRATA_ASSIGN_OR_RETURN(const ChargedBlobRow charged, ChargedBlobRow::Decode(*row));
  *bytes -= static_cast<int64_t>(charged.size_bytes);
  return transaction.Delete(Table::kFacts, keys::ChargedBlob(digest));
}

// Whether more than `count` rows have this prefix.
absl::StatusOr<bool> HasMoreRows(Reader& reader, absl::string_view prefix, size_t count) {
  const std::unique_ptr<Cursor> cursor = reader.Scan(Table::kFacts, prefix);
  for (; cursor->valid() && count > 0; cursor->Next()) --count;
  STRATA_RETURN_IF_ERROR(cursor->status());
  return cursor->valid();
}

absl::StatusOr<std::optional<CacheRow>> LockRecord(Transaction& transaction, absl::string_view key) {
  return Decode(transaction.GetForUpdate(Table::kFacts, keys::CacheRecord(key), LockMode::kExclusive));
}

}  // namespace

absl::StatusOr<std::string> CacheRecords::Get(absl::string_view key) {
  STRATA_ASSIGN_OR_RETURN(const std::optional<CacheRow> row, Decode(core_.kv.Get(Table::kFacts, keys::CacheRecord(key))));
  if (!row) return NoSuchRecord(key);
  for (const Digest& digest : row->needs) {
    STRATA_ASSIGN_OR_RETURN(const std::optional<BlobRow> blob, FindBlob(core_.kv, digest));
    if (IsServed(blob)) continue;
    PruneReport ignored;
    STRATA_RETURN_IF_ERROR(Remove(key, absl::InfiniteFuture(), &ignored));
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
  row.value_bytes = static_cast<uint32_t>(value.size());
  return InTransaction(core_.kv, Durability::kSynced, [&](Transaction& transaction) -> absl::Status {
    row.last_used = core_.clock.Now();
    std::vector<uint64_t> sizes;
    for (const Digest& digest : row.needs) {
      STRATA_ASSIGN_OR_RETURN(const std::optional<BlobRow> blob, LockBlob(transaction, digest, LockMode::kShared));
      if (!IsServed(blob)) {
        return absl::FailedPreconditionError(
            absl::StrCat("the record needs blob ", digest.ToString(), ", which the store does not have; upload it first"));
      }
      sizes.push_back(blob->size_bytes);
    }
    STRATA_ASSIGN_OR_RETURN(const std::optional<CacheRow> before, LockRecord(transaction, key));
    int64_t bytes = row.value_bytes;
    const std::vector<Digest> none;
    const std::vector<Digest>& needed_before = before ? before->needs : none;
    for (size_t i = 0; i < row.needs.size(); ++i) {
      if (std::binary_search(needed_before.begin(), needed_before.end(), row.needs[i])) continue;
      STRATA_RETURN_IF_ERROR(AddNeed(transaction, key, row.needs[i], sizes[i], &bytes));
    }
    for (const Digest& digest : needed_before) {
      if (std::binary_search(row.needs.begin(), row.needs.end(), digest)) continue;
      STRATA_RETURN_IF_ERROR(RemoveNeed(core_, transaction, key, digest, &bytes));
    }
    if (before) {
      bytes -= before->value_bytes;
      STRATA_RETURN_IF_ERROR(transaction.Delete(Table::kFacts, keys::CacheUse(before->last_used, key)));
    } else {
      transaction.Add(keys::Counter(keys::Count::kCacheRecords), 1);
    }
    transaction.Add(keys::Counter(keys::Count::kCacheBytes), bytes);
    STRATA_RETURN_IF_ERROR(transaction.Put(Table::kFacts, keys::CacheUse(row.last_used, key), ""));
    STRATA_RETURN_IF_ERROR(transaction.Put(Table::kContent, keys::CacheValue(key), value));
    return transaction.Put(Table::kFacts, keys::CacheRecord(key), row.Encode());
  });
}

absl::Status CacheRecords::Remove(absl::string_view key, absl::Time unused_since, PruneReport* report) {
  int64_t bytes = 0;
  bool is_removed = false;
  STRATA_RETURN_IF_ERROR(InTransaction(core_.kv, Durability::kBuffered, [&](Transaction& transaction) -> absl::Status {
    bytes = 0;
    is_removed = false;
    STRATA_ASSIGN_OR_RETURN(const std::optional<CacheRow> row, LockRecord(transaction, key));
    if (!row || row->last_used >= unused_since) return absl::OkStatus();
    is_removed = true;
    bytes = row->value_bytes;
    int64_t needs_bytes = 0;
    for (const Digest& digest : row->needs) {
      STRATA_RETURN_IF_ERROR(RemoveNeed(core_, transaction, key, digest, &needs_bytes));
    }
    bytes -= needs_bytes;
    transaction.Add(keys::Counter(keys::Count::kCacheRecords), -1);
    transaction.Add(keys::Counter(keys::Count::kCacheBytes), -bytes);
    STRATA_RETURN_IF_ERROR(transaction.Delete(Table::kFacts, keys::CacheUse(row->last_used, key)));
    STRATA_RETURN_IF_ERROR(transaction.Delete(Table::kFacts, keys::CacheRecord(key)));
    return transaction.Delete(Table::kContent, keys::CacheValue(key));
  }));
  if (!is_removed) return absl::OkStatus();
  report->records += 1;
  report->bytes += bytes;
  return absl::OkStatus();
}

absl::StatusOr<PruneReport> CacheRecords::Prune(absl::Time unused_since, bool is_dry_run) {
  if (is_dry_run) return WhatPruneWouldRemove(unused_since);
  PruneReport report;
  const std::unique_ptr<Cursor> cursor = core_.kv.Scan(Table::kFacts, keys::CacheUses());
  for (; cursor->valid(); cursor->Next()) {
    STRATA_ASSIGN_OR_RETURN(const auto use, keys::ParseUse(cursor->key()));
    if (use.first >= unused_since) break;
    STRATA_RETURN_IF_ERROR(Remove(use.second, unused_since, &report));
  }
  STRATA_RETURN_IF_ERROR(cursor->status());
  return report;
}

absl::StatusOr<PruneReport> CacheRecords::WhatPruneWouldRemove(absl::Time unused_since) {
  PruneReport report;
  std::map<Digest, size_t> removed_needs;
  const std::unique_ptr<Cursor> cursor = core_.kv.Scan(Table::kFacts, keys::CacheUses());
  for (; cursor->valid(); cursor->Next()) {
    STRATA_ASSIGN_OR_RETURN(const auto use, keys::ParseUse(cursor->key()));
    if (use.first >= unused_since) break;
    STRATA_ASSIGN_OR_RETURN(const std::optional<CacheRow> row, Decode(core_.kv.Get(Table::kFacts, keys::CacheRecord(use.second))));
    // Removed since the scan began.
    if (!row) continue;
    report.records += 1;
    report.bytes += row->value_bytes;
    for (const Digest& digest : row->needs) ++removed_needs[digest];
  }
  STRATA_RETURN_IF_ERROR(cursor->status());
  for (const auto& [digest, removed] : removed_needs) {
    STRATA_ASSIGN_OR_RETURN(const bool is_kept, HasMoreRows(core_.kv, keys::CacheNeeds(digest), removed));
    if (is_kept) continue;
    STRATA_ASSIGN_OR_RETURN(const std::optional<std::string> row, core_.kv.Get(Table::kFacts, keys::ChargedBlob(digest)));
    if (!row) continue;
    STRATA_ASSIGN_OR_RETURN(const ChargedBlobRow charged, ChargedBlobRow::Decode(*row));
    report.bytes += static_cast<int64_t>(charged.size_bytes);
  }
  return report;
}

absl::StatusOr<PruneReport> CacheRecords::Trim() {
  PruneReport report;
  const int64_t max_bytes = core_.options.cache_budget_bytes;
  const int64_t max_records = core_.options.cache_budget_records;
  STRATA_ASSIGN_OR_RETURN(const int64_t bytes, core_.kv.ReadCounter(keys::Counter(keys::Count::kCacheBytes)));
  STRATA_ASSIGN_OR_RETURN(const int64_t records, core_.kv.ReadCounter(keys::Counter(keys::Count::kCacheRecords)));
  const auto is_over = [&] {
    return (max_bytes > 0 && bytes - report.bytes > max_bytes) || (max_records > 0 && records - report.records > max_records);
  };
  if (!is_over()) return report;
  const std::unique_ptr<Cursor> cursor = core_.kv.Scan(Table::kFacts, keys::CacheUses());
  for (; cursor->valid() && is_over(); cursor->Next()) {
    STRATA_ASSIGN_OR_RETURN(const auto use, keys::ParseUse(cursor->key()));
    const absl::Status status = Remove(use.second, use.first + absl::Microseconds(1), &report);
    // A busy record stays for the next time.
    if (!status.ok() && !absl::IsAborted(status)) return status;
  }
  STRATA_RETURN_IF_ERROR(cursor->status());
  return report;
}

}  // namespace strata::store
