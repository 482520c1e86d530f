// The store's own seams: extent_files.h for the bytes, rocks_key_value.h for the records.
//
//   commit: file and folder synced, then the record synced        remove: the record synced, then the file
#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "lib/base/status.h"
#include "lib/digest/crc32.h"
#include "services/store/engine/extent_files.h"
#include "services/store/engine/piece_checksums.h"
#include "services/store/engine/rocks_key_value.h"
#include "tests/bench/engine/blob_record.h"
#include "tests/bench/engine/candidates.h"

namespace strata::bench {

namespace {

using store::Durability;
using store::kChecksumPieceBytes;
using store::Table;

absl::Status PutRecord(store::KeyValueStore& kv, uint64_t id, const BlobRecord& record) {
  return store::InTransaction(kv, Durability::kSynced, [&](store::Transaction& transaction) {
    return transaction.Put(Table::kFacts, NumberKey(id), record.Encode());
  });
}

class ExtentUpload final : public Upload {
 public:
  // `kv` outlives the upload.
  ExtentUpload(store::KeyValueStore& kv, uint64_t id, std::unique_ptr<store::ExtentWriter> extent)
      : kv_(kv), id_(id), extent_(std::move(extent)) {}

  absl::Status Write(absl::string_view data) override { return extent_->Write(data); }
  absl::Status Checkpoint(absl::string_view state) override { return Record(false, state); }
  absl::Status Commit(absl::string_view checksums) override { return Record(true, checksums); }

 private:
  absl::Status Record(bool is_committed, absl::string_view text) {
    STRATA_RETURN_IF_ERROR(extent_->Sync());
    return PutRecord(kv_, id_, {is_committed, extent_->size_bytes(), std::string(text)});
  }

  store::KeyValueStore& kv_;
  const uint64_t id_;
  const std::unique_ptr<store::ExtentWriter> extent_;
};

class ExtentBlobReader final : public Reader {
 public:
  ExtentBlobReader(std::unique_ptr<store::ExtentReader> extent, uint64_t size_bytes, std::vector<uint32_t> checksums)
      : extent_(std::move(extent)), size_bytes_(size_bytes), checksums_(std::move(checksums)) {}

  uint64_t size_bytes() const override { return size_bytes_; }

  absl::Status ReadAt(uint64_t offset, char* buffer, size_t size) override {
    if (offset + size > size_bytes_) return absl::DataLossError("the blob ends before");
    while (size > 0) {
      const uint64_t piece = offset / kChecksumPieceBytes;
      const uint64_t piece_start = piece * kChecksumPieceBytes;
      const size_t piece_size = std::min(kChecksumPieceBytes, size_bytes_ - piece_start);
      const size_t n = std::min<uint64_t>(size, piece_start + piece_size - offset);
      if (n == piece_size) {
        STRATA_RETURN_IF_ERROR(ReadPiece(piece, buffer, piece_size));
      } else {
        scratch_.resize(kChecksumPieceBytes);
        STRATA_RETURN_IF_ERROR(ReadPiece(piece, scratch_.data(), piece_size));
        std::memcpy(buffer, scratch_.data() + (offset - piece_start), n);
      }
      offset += n;
      buffer += n;
      size -= n;
    }
    return absl::OkStatus();
  }

 private:
  absl::Status ReadPiece(uint64_t piece, char* buffer, size_t size) {
    STRATA_RETURN_IF_ERROR(extent_->ReadAt(piece * kChecksumPieceBytes, buffer, size));
    if (Crc32(0, absl::string_view(buffer, size)) == checksums_[piece]) return absl::OkStatus();
    return absl::DataLossError("a piece of the blob is damaged");
  }

  const std::unique_ptr<store::ExtentReader> extent_;
  const uint64_t size_bytes_;
  const std::vector<uint32_t> checksums_;
  std::vector<char> scratch_;
};

class ExtentCandidate final : public Candidate {
 public:
  ExtentCandidate(std::unique_ptr<store::KeyValueStore> kv, std::unique_ptr<store::ExtentStore> extents)
      : kv_(std::move(kv)), extents_(std::move(extents)) {}

  absl::StatusOr<std::unique_ptr<Upload>> Begin(uint64_t id) override {
    STRATA_ASSIGN_OR_RETURN(std::unique_ptr<store::ExtentWriter> extent, extents_->Create(id));
    return std::make_unique<ExtentUpload>(*kv_, id, std::move(extent));
  }

  absl::StatusOr<Resumed> Resume(uint64_t id) override {
    STRATA_ASSIGN_OR_RETURN(BlobRecord record, Find(id, /*is_committed=*/false));
    STRATA_ASSIGN_OR_RETURN(std::unique_ptr<store::ExtentWriter> extent, extents_->Append(id, record.size_bytes));
    return Resumed{std::make_unique<ExtentUpload>(*kv_, id, std::move(extent)), record.size_bytes, std::move(record.text)};
  }

  absl::StatusOr<std::unique_ptr<Reader>> Open(uint64_t id) override {
    STRATA_ASSIGN_OR_RETURN(const BlobRecord record, Find(id, /*is_committed=*/true));
    STRATA_ASSIGN_OR_RETURN(std::vector<uint32_t> checksums, store::DecodeChecksums(record.text, record.size_bytes));
    STRATA_ASSIGN_OR_RETURN(std::unique_ptr<store::ExtentReader> extent, extents_->Open(id));
    return std::make_unique<ExtentBlobReader>(std::move(extent), record.size_bytes, std::move(checksums));
  }

  absl::Status Remove(uint64_t id) override {
    STRATA_RETURN_IF_ERROR(store::InTransaction(*kv_, Durability::kSynced, [&](store::Transaction& transaction) {
      return transaction.Delete(Table::kFacts, NumberKey(id));
    }));
    return extents_->Remove(id).status();
  }

  absl::Status Reclaim() override { return absl::OkStatus(); }
  absl::Status WaitForBackgroundWork() override { return absl::OkStatus(); }  // a few records: nothing that could be seen
  absl::Status Compact() override { return absl::OkStatus(); }

 private:
  absl::StatusOr<BlobRecord> Find(uint64_t id, bool is_committed) {
    STRATA_ASSIGN_OR_RETURN(const std::optional<std::string> bytes, kv_->Get(Table::kFacts, NumberKey(id)));
    if (!bytes) return absl::NotFoundError("no such blob");
    STRATA_ASSIGN_OR_RETURN(BlobRecord record, BlobRecord::Decode(*bytes));
    if (record.is_committed != is_committed) return absl::NotFoundError("no such blob in this phase");
    return record;
  }

  const std::unique_ptr<store::KeyValueStore> kv_;
  const std::unique_ptr<store::ExtentStore> extents_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Candidate>> OpenExtent(const std::string& path) {
  STRATA_ASSIGN_OR_RETURN(std::unique_ptr<store::ExtentStore> extents, store::OpenExtentFiles(path, /*reserved_bytes=*/0));
  STRATA_ASSIGN_OR_RETURN(std::unique_ptr<store::KeyValueStore> kv, store::OpenRocksKeyValue(path + "/meta"));
  return std::make_unique<ExtentCandidate>(std::move(kv), std::move(extents));
}

}  // namespace strata::bench
