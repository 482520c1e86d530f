#include "tests/bench/engine/put_candidate.h"

#include <utility>

#include "lib/base/status.h"

namespace strata::bench {

namespace {

class PutSink final : public ValueSink {
 public:
  PutSink(RocksBlobs& blobs, bool uses_log) : blobs_(blobs), uses_log_(uses_log) {}

  absl::Status Put(const std::string& key, absl::string_view value) override {
    rocksdb::WriteOptions options;
    options.disableWAL = !uses_log_;
    return ToStatus(blobs_.db().Put(options, blobs_.values(), key, ToSlice(value)));
  }
  absl::Status MakeDurable() override {
    if (uses_log_) return ToStatus(blobs_.db().SyncWAL());
    return ToStatus(blobs_.db().Flush(rocksdb::FlushOptions(), blobs_.values()));
  }

 private:
  RocksBlobs& blobs_;
  const bool uses_log_;
};

class PutCandidate final : public Candidate {
 public:
  PutCandidate(std::unique_ptr<RocksBlobs> blobs, PutOptions options) : options_(std::move(options)), blobs_(std::move(blobs)) {}

  absl::StatusOr<std::unique_ptr<Upload>> Begin(uint64_t id) override { return NewUpload(id, 0); }

  absl::StatusOr<Resumed> Resume(uint64_t id) override {
    STRATA_ASSIGN_OR_RETURN(BlobRecord record, blobs_->Find(id, /*is_committed=*/false));
    STRATA_RETURN_IF_ERROR(DeleteValues(id, record.size_bytes));
    return Resumed{NewUpload(id, record.size_bytes), record.size_bytes, std::move(record.text)};
  }

  absl::StatusOr<std::unique_ptr<Reader>> Open(uint64_t id) override { return blobs_->OpenReader(id); }

  absl::Status Remove(uint64_t id) override {
    STRATA_RETURN_IF_ERROR(blobs_->DeleteRecord(id));
    STRATA_RETURN_IF_ERROR(DeleteValues(id, 0));
    return blobs_->DropTables(id, 0);
  }

  absl::Status Reclaim() override { return blobs_->Compact(options_.reclaim); }
  absl::Status WaitForBackgroundWork() override { return blobs_->WaitForBackgroundWork(); }
  absl::Status Compact() override { return blobs_->Compact(rocksdb::CompactRangeOptions()); }

 private:
  std::unique_ptr<Upload> NewUpload(uint64_t id, uint64_t offset_bytes) {
    return NewRocksUpload(*blobs_, id, offset_bytes, std::make_unique<PutSink>(*blobs_, options_.uses_log));
  }

  absl::Status DeleteValues(uint64_t id, uint64_t offset_bytes) {
    rocksdb::WriteOptions options;
    options.disableWAL = !options_.uses_log;
    return ToStatus(blobs_->db().DeleteRange(options, blobs_->values(), ValueKey(id, offset_bytes), ValueKey(id + 1, 0)));
  }

  const PutOptions options_;
  const std::unique_ptr<RocksBlobs> blobs_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Candidate>> OpenPutCandidate(const std::string& path, PutOptions options) {
  STRATA_ASSIGN_OR_RETURN(std::unique_ptr<RocksBlobs> blobs, RocksBlobs::Open(path, options.values));
  return std::make_unique<PutCandidate>(std::move(blobs), std::move(options));
}

}  // namespace strata::bench
