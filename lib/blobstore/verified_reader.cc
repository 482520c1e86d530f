#include "lib/blobstore/verified_reader.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/digest/crc32.h"

namespace strata::blobstore {

namespace {

class VerifiedReader final : public BlobReader {
 public:
  VerifiedReader(std::unique_ptr<RandomSource> source, std::vector<uint32_t> checksums, const VerifiedRange& range,
                 std::function<void(uint64_t)> on_damage)
      : source_(std::move(source)), checksums_(std::move(checksums)), size_bytes_(range.size_bytes),
        position_(range.offset_bytes), end_(range.offset_bytes + range.length_bytes),
        first_piece_(range.first_piece), on_damage_(std::move(on_damage)) {}

  absl::StatusOr<size_t> Read(char* buffer, size_t size) override {
    STRATA_RETURN_IF_ERROR(failed_);
    absl::StatusOr<size_t> n = ReadVerified(buffer, size);
    if (!n.ok()) {
      failed_ = n.status();
      if (absl::IsDataLoss(failed_) && on_damage_) on_damage_(position_);
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
    STRATA_RETURN_IF_ERROR(source_->ReadAt(position_, buffer, n));
    crc_ = Crc32(crc_, absl::string_view(buffer, n));
    const uint64_t piece = position_ / kChecksumPieceBytes;
    if (position_ + n == stop) {
      STRATA_RETURN_IF_ERROR(HashUnseen(stop, piece_end));
      if (crc_ != checksums_[piece - first_piece_]) {
        return absl::DataLossError(absl::StrCat("stored bytes are damaged between ", piece * kChecksumPieceBytes, " and ",
                                                piece_end, "; push the blob again"));
      }
      crc_ = 0;
    }
    position_ += n;
    return n;
  }

  // The part of a piece that the range leaves out.
  absl::Status HashUnseen(uint64_t from, uint64_t to) {
    if (from < to && scratch_.empty()) scratch_.resize(64 * 1024);
    while (from < to) {
      const size_t n = std::min<uint64_t>(scratch_.size(), to - from);
      STRATA_RETURN_IF_ERROR(source_->ReadAt(from, scratch_.data(), n));
      crc_ = Crc32(crc_, absl::string_view(scratch_.data(), n));
      from += n;
    }
    return absl::OkStatus();
  }

  const std::unique_ptr<RandomSource> source_;
  const std::vector<uint32_t> checksums_;
  const uint64_t size_bytes_;
  uint64_t position_;
  const uint64_t end_;
  const uint64_t first_piece_;
  const std::function<void(uint64_t)> on_damage_;
  absl::Status failed_;
  bool has_begun_ = false;
  uint32_t crc_ = 0;      // of the current piece up to position_
  std::string scratch_;
};

}  // namespace

absl::Status FileSource::ReadAt(uint64_t offset_bytes, char* buffer, size_t size) const {
  size_t done = 0;
  while (done < size) {
    const ssize_t n = ::pread(fd_.get(), buffer + done, size - done, static_cast<off_t>(offset_bytes + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return absl::DataLossError(ErrnoStatus(errno, "reading a blob's file").message());
    if (n == 0) return absl::DataLossError(absl::StrCat("a blob's file ends at byte ", offset_bytes + done));
    done += static_cast<size_t>(n);
  }
  return absl::OkStatus();
}

std::unique_ptr<BlobReader> NewVerifiedReader(std::unique_ptr<RandomSource> source, std::vector<uint32_t> checksums,
                                              const VerifiedRange& range, std::function<void(uint64_t)> on_damage) {
  return std::make_unique<VerifiedReader>(std::move(source), std::move(checksums), range, std::move(on_damage));
}

}  // namespace strata::blobstore
