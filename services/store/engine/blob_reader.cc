#include "services/store/engine/blob_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "services/store/engine/piece_checksums.h"

namespace strata::store {

namespace {

class InlineReader final : public blobstore::BlobReader {
 public:
  InlineReader(std::string bytes, uint64_t offset, uint64_t length)
      : bytes_(std::move(bytes)), position_(offset), end_(offset + length) {}

  absl::StatusOr<size_t> Read(char* buffer, size_t size) override {
    const size_t n = std::min<uint64_t>(size, end_ - position_);
    if (n > 0) std::memcpy(buffer, bytes_.data() + position_, n);
    position_ += n;
    return n;
  }
  uint64_t size_bytes() const override { return bytes_.size(); }

 private:
  const std::string bytes_;
  uint64_t position_;
  const uint64_t end_;
};

class VerifiedExtentReader final : public blobstore::BlobReader {
 public:
  VerifiedExtentReader(std::unique_ptr<ExtentReader> extent, std::vector<uint32_t> checksums, uint64_t size_bytes,
                       uint64_t offset, uint64_t length, std::function<void()> on_damage)
      : extent_(std::move(extent)), checksums_(std::move(checksums)), size_bytes_(size_bytes), position_(offset),
        end_(offset + length), on_damage_(std::move(on_damage)) {}

  absl::StatusOr<size_t> Read(char* buffer, size_t size) override {
    STRATA_RETURN_IF_ERROR(failed_);
    absl::StatusOr<size_t> n = ReadVerified(buffer, size);
    if (!n.ok()) {
      failed_ = n.status();
      if (absl::IsDataLoss(failed_) && on_damage_) on_damage_();
    }
    return n;
  }
  uint64_t size_bytes() const override { return size_bytes_; }

 private:
  absl::StatusOr<size_t> ReadVerified(char* buffer, size_t size) {
    if (position_ == end_) return 0;
    if (!has_begun_) {
      has_begun_ = true;
      STRATA_RETURN_IF_ERROR(HashUnseen(position_ / kChecksumPieceBytes * kChecksumPieceBytes, position_));
    }
    const uint64_t piece_end = std::min(size_bytes_, (position_ / kChecksumPieceBytes + 1) * kChecksumPieceBytes);
    const uint64_t stop = std::min(end_, piece_end);
    const size_t n = std::min<uint64_t>(size, stop - position_);
    STRATA_RETURN_IF_ERROR(extent_->ReadAt(position_, buffer, n));
    crc_ = Crc32(crc_, absl::string_view(buffer, n));
    const uint64_t piece = position_ / kChecksumPieceBytes;
    position_ += n;
    if (position_ == stop) {
      STRATA_RETURN_IF_ERROR(HashUnseen(position_, piece_end));
      if (crc_ != checksums_[piece]) {
        return absl::DataLossError(absl::StrCat("stored bytes are damaged between ", piece * kChecksumPieceBytes, " and ",
                                                piece_end, "; push the blob again"));
      }
      crc_ = 0;
    }
    return n;
  }

  // The part of a piece that the range leaves out.
  absl::Status HashUnseen(uint64_t from, uint64_t to) {
    if (from < to && scratch_.empty()) scratch_.resize(64 * 1024);
    while (from < to) {
      const size_t n = std::min<uint64_t>(scratch_.size(), to - from);
      STRATA_RETURN_IF_ERROR(extent_->ReadAt(from, scratch_.data(), n));
      crc_ = Crc32(crc_, absl::string_view(scratch_.data(), n));
      from += n;
    }
    return absl::OkStatus();
  }

  const std::unique_ptr<ExtentReader> extent_;
  const std::vector<uint32_t> checksums_;
  const uint64_t size_bytes_;
  uint64_t position_;
  const uint64_t end_;
  const std::function<void()> on_damage_;
  absl::Status failed_;
  bool has_begun_ = false;
  uint32_t crc_ = 0;      // of the current piece up to position_
  std::string scratch_;
};

}  // namespace

std::unique_ptr<blobstore::BlobReader> NewInlineReader(std::string bytes, uint64_t offset_bytes, uint64_t length_bytes) {
  return std::make_unique<InlineReader>(std::move(bytes), offset_bytes, length_bytes);
}

std::unique_ptr<blobstore::BlobReader> NewExtentReader(std::unique_ptr<ExtentReader> extent, std::vector<uint32_t> checksums,
                                                       uint64_t size_bytes, uint64_t offset_bytes, uint64_t length_bytes,
                                                       std::function<void()> on_damage) {
  return std::make_unique<VerifiedExtentReader>(std::move(extent), std::move(checksums), size_bytes, offset_bytes,
                                                length_bytes, std::move(on_damage));
}

}  // namespace strata::store
