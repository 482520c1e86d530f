#include "tests/bench/engine/rocks_blobs.h"

#include <chrono>
#include <thread>
#include <utility>
#include <vector>

#include "lib/base/status.h"
#include "rocksdb/convenience.h"
#include "rocksdb/table.h"

namespace strata::bench {

namespace {

constexpr auto kPollInterval = std::chrono::milliseconds(2);

rocksdb::DBOptions DatabaseOptions() {
  rocksdb::DBOptions options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.max_background_jobs = 2;
  options.max_open_files = -1;
  options.allow_mmap_reads = true;  // faster for every candidate than copying from the page cache
  options.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.skip_stats_update_on_db_open = true;
  return options;
}

rocksdb::ColumnFamilyOptions RecordFamilyOptions() {
  rocksdb::ColumnFamilyOptions options;
  options.write_buffer_size = 4 << 20;
  options.compression = rocksdb::kNoCompression;
  return options;
}

}  // namespace

absl::Status ToStatus(const rocksdb::Status& status) {
  if (status.ok()) return absl::OkStatus();
  if (status.IsNotFound()) return absl::NotFoundError("no such row");
  if (status.IsNoSpace()) return absl::ResourceExhaustedError("the disk is full");
  if (status.IsCorruption()) return absl::DataLossError(status.ToString());
  return absl::InternalError(status.ToString());
}

std::string ValueKey(uint64_t id, uint64_t offset_bytes) { return NumberKey(id) + NumberKey(offset_bytes); }

rocksdb::ColumnFamilyOptions ValueFamilyOptions() {
  rocksdb::BlockBasedTableOptions table;
  table.block_size = 4096;
  table.no_block_cache = true;
  table.checksum = rocksdb::kXXH3;
  table.format_version = 5;
  rocksdb::ColumnFamilyOptions options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.write_buffer_size = 64 << 20;
  options.compression = rocksdb::kNoCompression;
  options.bottommost_compression = rocksdb::kNoCompression;
  return options;
}

absl::StatusOr<std::unique_ptr<RocksBlobs>> RocksBlobs::Open(const std::string& path,
                                                             const rocksdb::ColumnFamilyOptions& values) {
  const std::vector<rocksdb::ColumnFamilyDescriptor> families = {{rocksdb::kDefaultColumnFamilyName, RecordFamilyOptions()},
                                                                 {"blobs", values}};
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  STRATA_RETURN_IF_ERROR(ToStatus(rocksdb::DB::Open(DatabaseOptions(), path, families, &handles, &db)));
  return std::unique_ptr<RocksBlobs>(new RocksBlobs(std::unique_ptr<rocksdb::DB>(db), handles[0], handles[1]));
}

RocksBlobs::~RocksBlobs() {
  db_->DestroyColumnFamilyHandle(records_);
  db_->DestroyColumnFamilyHandle(values_);
}

absl::Status RocksBlobs::PutRecord(uint64_t id, const BlobRecord& record) {
  rocksdb::WriteOptions options;
  options.sync = true;
  return ToStatus(db_->Put(options, records_, NumberKey(id), record.Encode()));
}

absl::Status RocksBlobs::DeleteRecord(uint64_t id) {
  rocksdb::WriteOptions options;
  options.sync = true;
  return ToStatus(db_->Delete(options, records_, NumberKey(id)));
}

absl::StatusOr<BlobRecord> RocksBlobs::Find(uint64_t id, bool is_committed) const {
  std::string bytes;
  STRATA_RETURN_IF_ERROR(ToStatus(db_->Get(rocksdb::ReadOptions(), records_, NumberKey(id), &bytes)));
  STRATA_ASSIGN_OR_RETURN(BlobRecord record, BlobRecord::Decode(bytes));
  if (record.is_committed != is_committed) return absl::NotFoundError("no such blob in this phase");
  return record;
}

absl::Status RocksBlobs::DropTables(uint64_t id, uint64_t offset_bytes) {
  const std::string begin = ValueKey(id, offset_bytes);
  const std::string end = ValueKey(id + 1, 0);
  const rocksdb::Slice begin_slice(begin);
  const rocksdb::Slice end_slice(end);
  return ToStatus(rocksdb::DeleteFilesInRange(db_.get(), values_, &begin_slice, &end_slice, /*include_end=*/false));
}

absl::Status RocksBlobs::WaitForBackgroundWork() const {
  const char* const kWork[] = {"rocksdb.num-running-flushes", "rocksdb.mem-table-flush-pending",
                               "rocksdb.num-running-compactions", "rocksdb.compaction-pending"};
  while (true) {
    uint64_t sum = 0;
    for (const char* property : kWork) {
      uint64_t value = 0;
      if (!db_->GetIntProperty(values_, property, &value)) return absl::InternalError("RocksDB does not tell whether it works");
      sum += value;
    }
    if (sum == 0) return absl::OkStatus();
    std::this_thread::sleep_for(kPollInterval);
  }
}

absl::Status RocksBlobs::Compact(const rocksdb::CompactRangeOptions& options) {
  STRATA_RETURN_IF_ERROR(ToStatus(db_->Flush(rocksdb::FlushOptions(), {records_, values_})));
  STRATA_RETURN_IF_ERROR(ToStatus(db_->CompactRange(options, values_, nullptr, nullptr)));
  return WaitForBackgroundWork();
}

}  // namespace strata::bench
