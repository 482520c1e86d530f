#include "services/store/engine/rocks_key_value.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "lib/base/status.h"
#include "lib/blobstore/errors.h"
#include "rocksdb/cache.h"
#include "rocksdb/filter_policy.h"
#include "rocksdb/merge_operator.h"
#include "rocksdb/options.h"
#include "rocksdb/table.h"
#include "rocksdb/utilities/checkpoint.h"
#include "rocksdb/utilities/transaction.h"
#include "rocksdb/utilities/transaction_db.h"
#include "rocksdb/utilities/write_batch_with_index.h"
#include "services/store/engine/rocks_log.h"

namespace strata::store {

namespace {

rocksdb::Slice ToSlice(absl::string_view text) { return rocksdb::Slice(text.data(), text.size()); }
absl::string_view ToView(const rocksdb::Slice& slice) { return absl::string_view(slice.data(), slice.size()); }

// Counters are 8 bytes, little-endian, whatever the machine.
std::string EncodeCounter(int64_t value) {
  std::string out(8, '\0');
  for (int i = 0; i < 8; ++i) out[i] = static_cast<char>(static_cast<uint64_t>(value) >> (8 * i));
  return out;
}

bool DecodeCounter(const rocksdb::Slice& bytes, int64_t* value) {
  if (bytes.size() != 8) return false;
  uint64_t bits = 0;
  for (int i = 0; i < 8; ++i) bits |= static_cast<uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  *value = static_cast<int64_t>(bits);
  return true;
}

class CounterMerge final : public rocksdb::AssociativeMergeOperator {
 public:
  bool Merge(const rocksdb::Slice&, const rocksdb::Slice* existing, const rocksdb::Slice& operand, std::string* result,
             rocksdb::Logger*) const override {
    int64_t sum = 0;
    int64_t delta = 0;
    if (existing != nullptr && !DecodeCounter(*existing, &sum)) return false;
    if (!DecodeCounter(operand, &delta)) return false;
    *result = EncodeCounter(sum + delta);
    return true;
  }
  const char* Name() const override { return "strata.store.counter.v1"; }
};

absl::Status ToStatus(const rocksdb::Status& status) {
  if (status.ok()) return absl::OkStatus();
  const std::string text = status.ToString();
  if (status.IsNoSpace() || status.subcode() == rocksdb::Status::kSpaceLimit) {
    return blobstore::ExhaustedError(blobstore::Exhausted::kDisk, "the disk of the store is full; free space or collect garbage");
  }
  if (status.IsBusy() || status.IsTimedOut() || status.IsTryAgain() || status.IsDeadlock()) {
    return ConflictError(absl::StrCat("metadata: ", text));
  }
  if (status.IsCorruption()) return absl::DataLossError(absl::StrCat("metadata is damaged: ", text));
  return absl::InternalError(absl::StrCat("metadata: ", text));
}

absl::StatusOr<std::optional<std::string>> ToOptional(const rocksdb::Status& status, std::string value) {
  if (status.IsNotFound()) return std::optional<std::string>();
  if (!status.ok()) return ToStatus(status);
  return std::optional<std::string>(std::move(value));
}

class RocksCursor final : public Cursor {
 public:
  RocksCursor(std::unique_ptr<rocksdb::Iterator> iterator, std::string prefix, absl::string_view start)
      : iterator_(std::move(iterator)), prefix_(std::move(prefix)) {
    iterator_->Seek(ToSlice(start > prefix_ ? start : absl::string_view(prefix_)));
  }
  bool valid() const override { return iterator_->Valid() && iterator_->key().starts_with(prefix_); }
  void Next() override { iterator_->Next(); }
  absl::string_view key() const override { return ToView(iterator_->key()); }
  absl::string_view value() const override { return ToView(iterator_->value()); }
  absl::Status status() const override { return ToStatus(iterator_->status()); }

 private:
  std::unique_ptr<rocksdb::Iterator> iterator_;
  const std::string prefix_;
};

class RocksKeyValue final : public KeyValueStore {
 public:
  RocksKeyValue(std::unique_ptr<rocksdb::TransactionDB> db, std::vector<rocksdb::ColumnFamilyHandle*> families,
                std::function<void(absl::Duration)> on_synced_commit)
      : db_(std::move(db)), families_(std::move(families)), on_synced_commit_(std::move(on_synced_commit)) {}
  ~RocksKeyValue() override {
    for (rocksdb::ColumnFamilyHandle* family : families_) db_->DestroyColumnFamilyHandle(family);
  }

  absl::StatusOr<std::optional<std::string>> Get(Table table, absl::string_view key) override {
    std::string value;
    const rocksdb::Status status = db_->Get(rocksdb::ReadOptions(), Family(table), ToSlice(key), &value);
    return ToOptional(status, std::move(value));
  }

  std::unique_ptr<Cursor> Scan(Table table, absl::string_view prefix, absl::string_view start) override {
    return std::make_unique<RocksCursor>(
        std::unique_ptr<rocksdb::Iterator>(db_->NewIterator(rocksdb::ReadOptions(), Family(table))), std::string(prefix),
        start);
  }

  std::unique_ptr<Transaction> Begin() override;

  absl::StatusOr<int64_t> ReadCounter(absl::string_view key) override { return CounterIn(*this, key); }

  std::unique_ptr<Reader> Snapshot() override;
  absl::Status Checkpoint(const std::string& path) override;
  std::vector<std::pair<std::string, int64_t>> Figures() override;

  rocksdb::ColumnFamilyHandle* Family(Table table) const { return families_[table == Table::kFacts ? 0 : 1]; }
  rocksdb::TransactionDB& db() { return *db_; }
  void TellSynced(absl::Duration took) const {
    if (on_synced_commit_) on_synced_commit_(took);
  }

 private:
  const std::unique_ptr<rocksdb::TransactionDB> db_;
  const std::vector<rocksdb::ColumnFamilyHandle*> families_;  // by Table
  const std::function<void(absl::Duration)> on_synced_commit_;
};

class RocksSnapshot final : public Reader {
 public:
  // `store` outlives this object.
  explicit RocksSnapshot(RocksKeyValue& store) : store_(store), snapshot_(store.db().GetSnapshot()) {
    options_.snapshot = snapshot_;
    options_.fill_cache = false;
  }
  ~RocksSnapshot() override { store_.db().ReleaseSnapshot(snapshot_); }

  absl::StatusOr<std::optional<std::string>> Get(Table table, absl::string_view key) override {
    std::string value;
    const rocksdb::Status status = store_.db().Get(options_, store_.Family(table), ToSlice(key), &value);
    return ToOptional(status, std::move(value));
  }
  std::unique_ptr<Cursor> Scan(Table table, absl::string_view prefix, absl::string_view start) override {
    return std::make_unique<RocksCursor>(
        std::unique_ptr<rocksdb::Iterator>(store_.db().NewIterator(options_, store_.Family(table))), std::string(prefix), start);
  }

 private:
  RocksKeyValue& store_;
  const rocksdb::Snapshot* const snapshot_;
  rocksdb::ReadOptions options_;
};

std::unique_ptr<Reader> RocksKeyValue::Snapshot() { return std::make_unique<RocksSnapshot>(*this); }

absl::Status RocksKeyValue::Checkpoint(const std::string& path) {
  rocksdb::Checkpoint* made = nullptr;
  const rocksdb::Status created = rocksdb::Checkpoint::Create(db_.get(), &made);
  if (!created.ok()) return Annotate(ToStatus(created), "copying the metadata");
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
  return Annotate(ToStatus(checkpoint->CreateCheckpoint(path)), "copying the metadata");
}

std::vector<std::pair<std::string, int64_t>> RocksKeyValue::Figures() {
  struct Figure {
    const char* name;
    const std::string& property;
    bool is_summed;  // over the column families
  };
  using P = rocksdb::DB::Properties;
  const Figure kFigures[] = {
      {"write_stopped", P::kIsWriteStopped, false},          {"delayed_write_bytes_per_second", P::kActualDelayedWriteRate, false},
      {"background_errors", P::kBackgroundErrors, false},    {"pending_compaction_bytes", P::kEstimatePendingCompactionBytes, true},
      {"memtable_bytes", P::kCurSizeAllMemTables, true},     {"table_bytes", P::kTotalSstFilesSize, true},
      {"running_compactions", P::kNumRunningCompactions, false}, {"running_flushes", P::kNumRunningFlushes, false},
      {"block_cache_bytes", P::kBlockCacheUsage, false},
  };
  std::vector<std::pair<std::string, int64_t>> figures;
  for (const Figure& figure : kFigures) {
    int64_t sum = 0;
    for (rocksdb::ColumnFamilyHandle* family : families_) {
      uint64_t value = 0;
      if (db_->GetIntProperty(family, figure.property, &value)) sum += static_cast<int64_t>(value);
      if (!figure.is_summed) break;
    }
    figures.emplace_back(figure.name, sum);
  }
  rocksdb::VectorLogPtr logs;
  int64_t log_bytes = 0;
  if (db_->GetSortedWalFiles(logs).ok()) {
    for (const auto& log : logs) log_bytes += static_cast<int64_t>(log->SizeFileBytes());
  }
  figures.emplace_back("log_bytes", log_bytes);
  return figures;
}

// A database that nobody writes to, such as a backup: read-only, nothing in its folder changes.
class RocksReader final : public Reader {
 public:
  RocksReader(std::unique_ptr<rocksdb::DB> db, std::vector<rocksdb::ColumnFamilyHandle*> families)
      : db_(std::move(db)), families_(std::move(families)) {}
  ~RocksReader() override {
    for (rocksdb::ColumnFamilyHandle* family : families_) db_->DestroyColumnFamilyHandle(family);
  }
  absl::StatusOr<std::optional<std::string>> Get(Table table, absl::string_view key) override {
    std::string value;
    const rocksdb::Status status = db_->Get(rocksdb::ReadOptions(), Family(table), ToSlice(key), &value);
    return ToOptional(status, std::move(value));
  }
  std::unique_ptr<Cursor> Scan(Table table, absl::string_view prefix, absl::string_view start) override {
    return std::make_unique<RocksCursor>(
        std::unique_ptr<rocksdb::Iterator>(db_->NewIterator(rocksdb::ReadOptions(), Family(table))), std::string(prefix), start);
  }

 private:
  rocksdb::ColumnFamilyHandle* Family(Table table) const { return families_[table == Table::kFacts ? 0 : 1]; }

  const std::unique_ptr<rocksdb::DB> db_;
  const std::vector<rocksdb::ColumnFamilyHandle*> families_;  // by Table
};

class RocksTransaction final : public Transaction {
 public:
  // `store` outlives this object.
  explicit RocksTransaction(RocksKeyValue& store) : store_(store) {
    rocksdb::TransactionOptions options;
    options.deadlock_detect = true;
    transaction_.reset(store_.db().BeginTransaction(rocksdb::WriteOptions(), options));
  }

  absl::StatusOr<std::optional<std::string>> Get(Table table, absl::string_view key) override {
    std::string value;
    const rocksdb::Status status = transaction_->Get(rocksdb::ReadOptions(), store_.Family(table), ToSlice(key), &value);
    return ToOptional(status, std::move(value));
  }

  absl::StatusOr<std::optional<std::string>> GetForUpdate(Table table, absl::string_view key, LockMode mode) override {
    std::string value;
    const rocksdb::Status status = transaction_->GetForUpdate(rocksdb::ReadOptions(), store_.Family(table), ToSlice(key),
                                                              &value, mode == LockMode::kExclusive);
    return ToOptional(status, std::move(value));
  }

  std::unique_ptr<Cursor> Scan(Table table, absl::string_view prefix, absl::string_view start) override {
    return std::make_unique<RocksCursor>(
        std::unique_ptr<rocksdb::Iterator>(transaction_->GetIterator(rocksdb::ReadOptions(), store_.Family(table))),
        std::string(prefix), start);
  }

  absl::Status Put(Table table, absl::string_view key, absl::string_view value) override {
    return ToStatus(transaction_->Put(store_.Family(table), ToSlice(key), ToSlice(value)));
  }
  absl::Status Delete(Table table, absl::string_view key) override {
    return ToStatus(transaction_->Delete(store_.Family(table), ToSlice(key)));
  }
  void Add(absl::string_view key, int64_t delta) override { deltas_[std::string(key)] += delta; }

  absl::Status Commit(Durability durability) override {
    // Straight into the batch, past the lock manager: additions commute, and a lock on a counter row, held while the log is
    // synced, would end group commit. Nothing reads them through this transaction's index.
    rocksdb::WriteBatch* batch = transaction_->GetWriteBatch()->GetWriteBatch();
    for (const auto& [key, delta] : deltas_) {
      if (delta == 0) continue;
      STRATA_RETURN_IF_ERROR(ToStatus(batch->Merge(store_.Family(Table::kFacts), key, EncodeCounter(delta))));
    }
    rocksdb::WriteOptions options;
    options.sync = durability == Durability::kSynced;
    transaction_->SetWriteOptions(options);
    const absl::Time start = absl::Now();
    const rocksdb::Status status = transaction_->Commit();
    if (options.sync) store_.TellSynced(absl::Now() - start);
    return ToStatus(status);
  }

 private:
  RocksKeyValue& store_;
  std::unique_ptr<rocksdb::Transaction> transaction_;
  std::map<std::string, int64_t> deltas_;
};

std::unique_ptr<Transaction> RocksKeyValue::Begin() { return std::make_unique<RocksTransaction>(*this); }

rocksdb::DBOptions DatabaseOptions() {
  rocksdb::DBOptions options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.max_background_jobs = 2;
  options.max_open_files = 256;
  options.max_total_wal_size = 64 << 20;
  options.info_log = NewRocksLog();
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.skip_stats_update_on_db_open = true;
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  return options;
}

rocksdb::ColumnFamilyOptions FamilyOptions(size_t write_buffer_bytes, const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.cache_index_and_filter_blocks = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.checksum = rocksdb::kXXH3;
  table.format_version = 5;
  rocksdb::ColumnFamilyOptions options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.write_buffer_size = write_buffer_bytes;
  options.compression = rocksdb::kNoCompression;
  options.bottommost_compression = rocksdb::kNoCompression;
  return options;
}

// TransactionDB::Open() without two-phase commit, which nobody uses here and which keeps every old log for the sake of prepared
// transactions: after a power loss in the first moments of a start, a torn old log then made RocksDB refuse the database ("SST file
// is ahead of WALs"). Without it a start ends with a flush, and the logs before are not needed any more. Found by tests/crash.
rocksdb::Status OpenTransactional(rocksdb::DBOptions options, const rocksdb::TransactionDBOptions& transactions,
                                  const std::string& path, std::vector<rocksdb::ColumnFamilyDescriptor> descriptors,
                                  std::vector<rocksdb::ColumnFamilyHandle*>* families, rocksdb::TransactionDB** db) {
  std::vector<size_t> compacted;
  rocksdb::TransactionDB::PrepareWrap(&options, &descriptors, &compacted);
  options.allow_2pc = false;
  rocksdb::DB* base = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(options, path, descriptors, families, &base);
  if (!status.ok()) return status;
  return rocksdb::TransactionDB::WrapDB(base, transactions, compacted, *families, db);
}

absl::Status OpenError(const rocksdb::Status& status, const std::string& path) {
  const std::string text = absl::StrReplaceAll(status.ToString(), {{path, "meta"}});
  if (status.IsIOError() && text.find("lock") != std::string::npos) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the data folder is in use: another store process runs on it, or one is still shutting down; stop it first (", text, ")"));
  }
  if (status.IsCorruption()) {
    return absl::DataLossError(absl::StrCat("the metadata cannot be opened; restore a backup (", text, ")"));
  }
  return Annotate(ToStatus(status), "opening the metadata");
}

std::vector<rocksdb::ColumnFamilyDescriptor> Families() {
  const std::shared_ptr<rocksdb::Cache> cache = rocksdb::NewLRUCache(8 << 20, 2);
  rocksdb::ColumnFamilyOptions facts = FamilyOptions(4 << 20, cache);
  facts.merge_operator = std::make_shared<CounterMerge>();
  return {{rocksdb::kDefaultColumnFamilyName, facts}, {"content", FamilyOptions(8 << 20, cache)}};
}

}  // namespace

absl::StatusOr<std::unique_ptr<Reader>> OpenRocksReader(const std::string& path) {
  rocksdb::DBOptions options = DatabaseOptions();
  options.create_if_missing = false;
  options.create_missing_column_families = false;
  std::vector<rocksdb::ColumnFamilyHandle*> families;
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status = rocksdb::DB::OpenForReadOnly(options, path, Families(), &families, &db);
  if (!status.ok()) return OpenError(status, path);
  return std::make_unique<RocksReader>(std::unique_ptr<rocksdb::DB>(db), std::move(families));
}

absl::StatusOr<std::unique_ptr<KeyValueStore>> OpenRocksKeyValue(const std::string& path,
                                                                 std::function<void(absl::Duration)> on_synced_commit) {
  const std::vector<rocksdb::ColumnFamilyDescriptor> descriptors = Families();
  rocksdb::TransactionDBOptions transactions;
  transactions.transaction_lock_timeout = 2000;
  transactions.default_lock_timeout = 2000;
  std::vector<rocksdb::ColumnFamilyHandle*> families;
  rocksdb::TransactionDB* db = nullptr;
  // RocksDB makes a missing folder too, but logs an error about it first.
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return ErrnoStatus(errno, "making the folder of the metadata");
  const rocksdb::Status status = OpenTransactional(DatabaseOptions(), transactions, path, descriptors, &families, &db);
  if (!status.ok()) return OpenError(status, path);
  return std::make_unique<RocksKeyValue>(std::unique_ptr<rocksdb::TransactionDB>(db), std::move(families), std::move(on_synced_commit));
}

}  // namespace strata::store
