// Blobs in and out of values: cutting an upload into values of 1 MiB, reading ranges across them.
#include <algorithm>
#include <cstring>
#include <utility>

#include "lib/base/status.h"
#include "tests/bench/engine/rocks_blobs.h"

namespace strata::bench {

namespace {

constexpr size_t kValueBytes = 1 << 20;

class RocksUpload final : public Upload {
 public:
  RocksUpload(RocksBlobs& blobs, uint64_t id, uint64_t offset_bytes, std::unique_ptr<ValueSink> sink)
      : blobs_(blobs), id_(id), stored_bytes_(offset_bytes), sink_(std::move(sink)) {
    value_.reserve(kValueBytes);
  }

  absl::Status Write(absl::string_view data) override {
    while (!data.empty()) {
      const absl::string_view part = data.substr(0, kValueBytes - value_.size());
      value_.append(part.data(), part.size());
      data.remove_prefix(part.size());
      if (value_.size() == kValueBytes) STRATA_RETURN_IF_ERROR(EmitValue());
    }
    return absl::OkStatus();
  }
  absl::Status Checkpoint(absl::string_view state) override { return Record(false, state); }
  absl::Status Commit(absl::string_view) override { return Record(true, ""); }

 private:
  absl::Status EmitValue() {
    STRATA_RETURN_IF_ERROR(sink_->Put(ValueKey(id_, stored_bytes_), value_));
    stored_bytes_ += value_.size();
    value_.clear();
    return absl::OkStatus();
  }

  absl::Status Record(bool is_committed, absl::string_view text) {
    if (!value_.empty()) STRATA_RETURN_IF_ERROR(EmitValue());
    STRATA_RETURN_IF_ERROR(sink_->MakeDurable());
    return blobs_.PutRecord(id_, {is_committed, stored_bytes_, std::string(text)});
  }

  RocksBlobs& blobs_;
  const uint64_t id_;
  uint64_t stored_bytes_;
  const std::unique_ptr<ValueSink> sink_;
  std::string value_;  // being filled
};

class RocksReader final : public Reader {
 public:
  RocksReader(std::unique_ptr<rocksdb::Iterator> iterator, uint64_t id, uint64_t size_bytes)
      : iterator_(std::move(iterator)), id_(id), size_bytes_(size_bytes) {}

  uint64_t size_bytes() const override { return size_bytes_; }

  absl::Status ReadAt(uint64_t offset, char* buffer, size_t size) override {
    while (size > 0) {
      STRATA_RETURN_IF_ERROR(MoveTo(offset));
      const rocksdb::Slice value = iterator_->value();
      const size_t skip = offset - value_offset_;
      if (skip >= value.size()) return absl::DataLossError("a value of the blob is missing");
      const size_t n = std::min(size, value.size() - skip);
      std::memcpy(buffer, value.data() + skip, n);
      offset += n;
      buffer += n;
      size -= n;
    }
    return absl::OkStatus();
  }

 private:
  // To the value that holds `offset`. The next value in order costs no seek.
  absl::Status MoveTo(uint64_t offset) {
    if (has_value_ && offset >= value_offset_ && offset < value_offset_ + iterator_->value().size()) return absl::OkStatus();
    if (has_value_ && offset == value_offset_ + iterator_->value().size()) {
      iterator_->Next();
    } else {
      iterator_->SeekForPrev(ValueKey(id_, offset));
    }
    STRATA_RETURN_IF_ERROR(ToStatus(iterator_->status()));
    has_value_ = iterator_->Valid() && iterator_->key().starts_with(NumberKey(id_));
    if (!has_value_) return absl::DataLossError("a value of the blob is missing");
    value_offset_ = ParseNumberKey(absl::string_view(iterator_->key().data() + 8, 8));
    return absl::OkStatus();
  }

  const std::unique_ptr<rocksdb::Iterator> iterator_;
  const uint64_t id_;
  const uint64_t size_bytes_;
  bool has_value_ = false;
  uint64_t value_offset_ = 0;
};

}  // namespace

std::unique_ptr<Upload> NewRocksUpload(RocksBlobs& blobs, uint64_t id, uint64_t offset_bytes, std::unique_ptr<ValueSink> sink) {
  return std::make_unique<RocksUpload>(blobs, id, offset_bytes, std::move(sink));
}

absl::StatusOr<std::unique_ptr<Reader>> RocksBlobs::OpenReader(uint64_t id) const {
  STRATA_ASSIGN_OR_RETURN(const BlobRecord record, Find(id, /*is_committed=*/true));
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  std::unique_ptr<rocksdb::Iterator> iterator(db_->NewIterator(options, values_));
  return std::make_unique<RocksReader>(std::move(iterator), id, record.size_bytes);
}

}  // namespace strata::bench
