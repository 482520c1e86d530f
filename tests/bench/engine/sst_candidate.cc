// Values in tables of our own making: SstFileWriter, one table a segment of an upload, ingested when it is full or the upload pauses.
//
//   segment: written in staging/, Finish() syncs it, ingestion links it into the database and syncs the MANIFEST, staging/ unlinks it
//   commit:  last segment ingested, then the record synced        remove: the record synced, then the tables of exactly this blob
//
// Keys of different uploads never overlap, so every table goes to the last level and is never rewritten: compaction is off.
#include <unistd.h>

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "rocksdb/sst_file_writer.h"
#include "tests/bench/engine/candidates.h"
#include "tests/bench/engine/rocks_blobs.h"

namespace strata::bench {

namespace {

rocksdb::ColumnFamilyOptions SegmentFamilyOptions() {
  rocksdb::ColumnFamilyOptions options = ValueFamilyOptions();
  options.disable_auto_compactions = true;
  options.periodic_compaction_seconds = 0;
  options.ttl = 0;
  return options;
}

class SegmentSink final : public ValueSink {
 public:
  SegmentSink(RocksBlobs& blobs, std::string path, uint64_t segment_bytes)
      : blobs_(blobs), path_(std::move(path)), segment_bytes_(segment_bytes) {}
  // A table that was not ingested goes when the store is opened next.

  absl::Status Put(const std::string& key, absl::string_view value) override {
    if (writer_ == nullptr) STRATA_RETURN_IF_ERROR(StartSegment());
    STRATA_RETURN_IF_ERROR(ToStatus(writer_->Put(key, ToSlice(value))));
    written_bytes_ += value.size();
    return written_bytes_ < segment_bytes_ ? absl::OkStatus() : FinishSegment();
  }
  absl::Status MakeDurable() override { return writer_ == nullptr ? absl::OkStatus() : FinishSegment(); }

 private:
  absl::Status StartSegment() {
    const rocksdb::Options options(rocksdb::DBOptions(), SegmentFamilyOptions());
    // Its default drops the pages of the table, and the first read is cold.
    writer_ = std::make_unique<rocksdb::SstFileWriter>(rocksdb::EnvOptions(), options, blobs_.values(),
                                                       /*invalidate_page_cache=*/false);
    written_bytes_ = 0;
    return ToStatus(writer_->Open(path_));
  }

  absl::Status FinishSegment() {
    const std::unique_ptr<rocksdb::SstFileWriter> writer = std::move(writer_);
    STRATA_RETURN_IF_ERROR(ToStatus(writer->Finish()));
    rocksdb::IngestExternalFileOptions options;
    options.move_files = true;
    options.failed_move_fall_back_to_copy = false;
    options.snapshot_consistency = false;
    options.write_global_seqno = false;
    options.allow_blocking_flush = false;
    STRATA_RETURN_IF_ERROR(ToStatus(blobs_.db().IngestExternalFile(blobs_.values(), {path_}, options)));
    if (::unlink(path_.c_str()) != 0 && errno != ENOENT) return ErrnoStatus(errno, "remove an ingested table");
    return absl::OkStatus();
  }

  RocksBlobs& blobs_;
  const std::string path_;
  const uint64_t segment_bytes_;
  std::unique_ptr<rocksdb::SstFileWriter> writer_;
  uint64_t written_bytes_ = 0;
};

class SstCandidate final : public Candidate {
 public:
  SstCandidate(std::unique_ptr<RocksBlobs> blobs, std::string staging, uint64_t segment_bytes)
      : blobs_(std::move(blobs)), staging_(std::move(staging)), segment_bytes_(segment_bytes) {}

  absl::StatusOr<std::unique_ptr<Upload>> Begin(uint64_t id) override { return NewUpload(id, 0); }

  absl::StatusOr<Resumed> Resume(uint64_t id) override {
    STRATA_ASSIGN_OR_RETURN(BlobRecord record, blobs_->Find(id, /*is_committed=*/false));
    // Tables that were ingested after the last record.
    STRATA_RETURN_IF_ERROR(blobs_->DropTables(id, record.size_bytes));
    return Resumed{NewUpload(id, record.size_bytes), record.size_bytes, std::move(record.text)};
  }

  absl::StatusOr<std::unique_ptr<Reader>> Open(uint64_t id) override { return blobs_->OpenReader(id); }

  absl::Status Remove(uint64_t id) override {
    STRATA_RETURN_IF_ERROR(blobs_->DeleteRecord(id));
    return blobs_->DropTables(id, 0);
  }

  absl::Status Reclaim() override { return absl::OkStatus(); }
  absl::Status WaitForBackgroundWork() override { return blobs_->WaitForBackgroundWork(); }
  absl::Status Compact() override { return blobs_->Compact(rocksdb::CompactRangeOptions()); }

 private:
  std::unique_ptr<Upload> NewUpload(uint64_t id, uint64_t offset_bytes) {
    return NewRocksUpload(*blobs_, id, offset_bytes,
                          std::make_unique<SegmentSink>(*blobs_, absl::StrCat(staging_, "/", id, ".sst"), segment_bytes_));
  }

  const std::unique_ptr<RocksBlobs> blobs_;
  const std::string staging_;
  const uint64_t segment_bytes_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Candidate>> OpenSst(const std::string& path, uint64_t segment_bytes) {
  STRATA_ASSIGN_OR_RETURN(std::unique_ptr<RocksBlobs> blobs, RocksBlobs::Open(path, SegmentFamilyOptions()));
  const std::string staging = path + "/staging";
  std::error_code error;
  std::filesystem::remove_all(staging, error);
  if (!error) std::filesystem::create_directory(staging, error);
  if (error) return absl::InternalError(absl::StrCat("cannot make ", staging, ": ", error.message()));
  return std::make_unique<SstCandidate>(std::move(blobs), staging, segment_bytes);
}

}  // namespace strata::bench
