#include "services/store/engine/format.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "services/store/engine/blob_table.h"
#include "services/store/engine/keyspace.h"
#include "services/store/engine/record.h"
#include "services/store/engine/rows.h"

namespace strata::store {

namespace {

constexpr size_t kRowsATransaction = 1000;

absl::Status PutVersion(Transaction& transaction) {
  return transaction.Put(Table::kFacts, keys::FormatVersion(), RecordWriter().U32(kFormatVersion).Take());
}

// Collects rows and writes them a thousand at a time.
class RowWriter {
 public:
  explicit RowWriter(KeyValueStore& kv) : kv_(kv) {}

  absl::Status Put(std::string key, std::string value) {
    rows_.emplace_back(std::move(key), std::move(value));
    return rows_.size() < kRowsATransaction ? absl::OkStatus() : Flush();
  }
  absl::Status Flush() {
    STRATA_RETURN_IF_ERROR(InTransaction(kv_, Durability::kBuffered, [&](Transaction& transaction) -> absl::Status {
      for (const auto& [key, value] : rows_) STRATA_RETURN_IF_ERROR(transaction.Put(Table::kFacts, key, value));
      return absl::OkStatus();
    }));
    rows_.clear();
    return absl::OkStatus();
  }

 private:
  KeyValueStore& kv_;
  std::vector<std::pair<std::string, std::string>> rows_;
};

// What an upgrade that was interrupted left, and a store of the old format did not keep up since.
absl::Status Clear(KeyValueStore& kv, absl::string_view prefix) {
  std::vector<std::string> keys;
  do {
    keys.clear();
    const std::unique_ptr<Cursor> cursor = kv.Scan(Table::kFacts, prefix);
    for (; cursor->valid() && keys.size() < kRowsATransaction; cursor->Next()) keys.emplace_back(cursor->key());
    STRATA_RETURN_IF_ERROR(cursor->status());
    STRATA_RETURN_IF_ERROR(InTransaction(kv, Durability::kBuffered, [&](Transaction& transaction) -> absl::Status {
      for (const std::string& key : keys) STRATA_RETURN_IF_ERROR(transaction.Delete(Table::kFacts, key));
      return absl::OkStatus();
    }));
  } while (!keys.empty());
  return absl::OkStatus();
}

// Format 2: the row `u` of every session.
absl::Status IndexSessions(KeyValueStore& kv) {
  STRATA_RETURN_IF_ERROR(Clear(kv, keys::SessionUses()));
  RowWriter rows(kv);
  const std::unique_ptr<Cursor> cursor = kv.Scan(Table::kFacts, keys::Sessions());
  for (; cursor->valid(); cursor->Next()) {
    STRATA_ASSIGN_OR_RETURN(const SessionRow session, SessionRow::Decode(cursor->value()));
    STRATA_RETURN_IF_ERROR(rows.Put(keys::SessionUse(session.last_write, keys::TextBehind(keys::Sessions(), cursor->key())), ""));
  }
  STRATA_RETURN_IF_ERROR(cursor->status());
  return rows.Flush();
}

// Format 2: cache records know the size of their value. Adds these sizes to `bytes`.
absl::Status MeasureRecords(KeyValueStore& kv, int64_t* bytes) {
  RowWriter rows(kv);
  const std::string prefix = keys::CacheRecord("");
  const std::unique_ptr<Cursor> cursor = kv.Scan(Table::kFacts, prefix);
  for (; cursor->valid(); cursor->Next()) {
    STRATA_ASSIGN_OR_RETURN(CacheRow record, CacheRow::DecodeAny(cursor->value()));
    STRATA_ASSIGN_OR_RETURN(const std::optional<std::string> value,
                            kv.Get(Table::kContent, keys::CacheValue(keys::TextBehind(prefix, cursor->key()))));
    record.value_bytes = static_cast<uint32_t>(value ? value->size() : 0);
    *bytes += record.value_bytes;
    STRATA_RETURN_IF_ERROR(rows.Put(std::string(cursor->key()), record.Encode()));
  }
  STRATA_RETURN_IF_ERROR(cursor->status());
  return rows.Flush();
}

// Format 2: the row `d` of every blob that cache records need. Adds the sizes of these blobs to `bytes`.
absl::Status ChargeNeeds(KeyValueStore& kv, int64_t* bytes) {
  STRATA_RETURN_IF_ERROR(Clear(kv, keys::ChargedBlobs()));
  RowWriter rows(kv);
  std::optional<Digest> last;
  const std::unique_ptr<Cursor> cursor = kv.Scan(Table::kFacts, keys::AllCacheNeeds());
  for (; cursor->valid(); cursor->Next()) {
    STRATA_ASSIGN_OR_RETURN(Digest digest, keys::ParseCacheNeed(cursor->key()));
    if (last == digest) continue;
    STRATA_ASSIGN_OR_RETURN(const std::optional<BlobRow> blob, FindBlob(kv, digest));
    const ChargedBlobRow charged{blob ? blob->size_bytes : 0};
    *bytes += static_cast<int64_t>(charged.size_bytes);
    STRATA_RETURN_IF_ERROR(rows.Put(keys::ChargedBlob(digest), charged.Encode()));
    last = std::move(digest);
  }
  STRATA_RETURN_IF_ERROR(cursor->status());
  return rows.Flush();
}

absl::Status UpgradeFrom1(KeyValueStore& kv, const std::function<void(absl::string_view)>& at_step) {
  int64_t cache_bytes = 0;
  STRATA_RETURN_IF_ERROR(IndexSessions(kv));
  at_step("format2.sessions");
  STRATA_RETURN_IF_ERROR(MeasureRecords(kv, &cache_bytes));
  at_step("format2.records");
  STRATA_RETURN_IF_ERROR(ChargeNeeds(kv, &cache_bytes));
  at_step("format2.needs");
  return InTransaction(kv, Durability::kSynced, [&](Transaction& transaction) {
    transaction.Add(keys::Counter(keys::Count::kCacheBytes), cache_bytes);
    return PutVersion(transaction);
  });
}

}  // namespace

absl::Status OpenFormat(KeyValueStore& kv, const std::function<void(absl::string_view)>& at_step) {
  STRATA_ASSIGN_OR_RETURN(const std::optional<std::string> row, kv.Get(Table::kFacts, keys::FormatVersion()));
  if (!row) return InTransaction(kv, Durability::kSynced, PutVersion);
  RecordReader reader(*row);
  const uint32_t version = reader.U32();
  STRATA_RETURN_IF_ERROR(reader.Finish("the format version"));
  if (version == kFormatVersion) return absl::OkStatus();
  if (version == 1) return Annotate(UpgradeFrom1(kv, at_step), "upgrading the data folder from format 1");
  return absl::FailedPreconditionError(absl::StrCat("the data folder has format ", version, " and this store reads format ",
                                                    kFormatVersion, "; run the version of Strata that wrote it, or a newer one"));
}

}  // namespace strata::store
