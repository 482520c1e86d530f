// What the candidates that keep the bytes inside RocksDB share: a database of records (default column family, synced log) and
// of values (column family "blobs").
//
//   record:  id                  → BlobRecord
//   value:   id, offset in blob  → up to 1 MiB
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "rocksdb/db.h"
#include "rocksdb/options.h"
#include "tests/bench/engine/blob_record.h"
#include "tests/bench/engine/candidate.h"

namespace strata::bench {

absl::Status ToStatus(const rocksdb::Status& status);
inline rocksdb::Slice ToSlice(absl::string_view text) { return rocksdb::Slice(text.data(), text.size()); }
std::string ValueKey(uint64_t id, uint64_t offset_bytes);

// No compression, no cache, checksummed blocks, write buffers of 64 MiB.
rocksdb::ColumnFamilyOptions ValueFamilyOptions();

class RocksBlobs {
 public:
  static absl::StatusOr<std::unique_ptr<RocksBlobs>> Open(const std::string& path, const rocksdb::ColumnFamilyOptions& values);
  ~RocksBlobs();
  RocksBlobs(const RocksBlobs&) = delete;
  RocksBlobs& operator=(const RocksBlobs&) = delete;

  absl::Status PutRecord(uint64_t id, const BlobRecord& record);  // synced
  absl::Status DeleteRecord(uint64_t id);                         // synced
  // kNotFound: there is none in this phase.
  absl::StatusOr<BlobRecord> Find(uint64_t id, bool is_committed) const;
  // Verifies block checksums as it reads.
  absl::StatusOr<std::unique_ptr<Reader>> OpenReader(uint64_t id) const;

  // Drops whole tables that hold nothing but values of `id` from `offset_bytes` on.
  absl::Status DropTables(uint64_t id, uint64_t offset_bytes);
  absl::Status WaitForBackgroundWork() const;
  absl::Status Compact(const rocksdb::CompactRangeOptions& options);

  rocksdb::DB& db() const { return *db_; }
  rocksdb::ColumnFamilyHandle* values() const { return values_; }

 private:
  RocksBlobs(std::unique_ptr<rocksdb::DB> db, rocksdb::ColumnFamilyHandle* records, rocksdb::ColumnFamilyHandle* values)
      : db_(std::move(db)), records_(records), values_(values) {}

  const std::unique_ptr<rocksdb::DB> db_;
  rocksdb::ColumnFamilyHandle* const records_;
  rocksdb::ColumnFamilyHandle* const values_;
};

// Where an upload's values go.
class ValueSink {
 public:
  virtual ~ValueSink() = default;
  // Keys ascend.
  virtual absl::Status Put(const std::string& key, absl::string_view value) = 0;
  virtual absl::Status MakeDurable() = 0;
};

// Goes on at `offset_bytes`. `blobs` outlives the upload.
std::unique_ptr<Upload> NewRocksUpload(RocksBlobs& blobs, uint64_t id, uint64_t offset_bytes, std::unique_ptr<ValueSink> sink);

}  // namespace strata::bench
