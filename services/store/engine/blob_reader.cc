#include "services/store/engine/blob_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "lib/blobstore/verified_reader.h"

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

// Adds the file itself to what reads it.
class ExtentBlobReader final : public blobstore::BlobReader {
 public:
  ExtentBlobReader(std::unique_ptr<ExtentReader> extent, std::vector<uint32_t> checksums, uint64_t size_bytes, uint64_t offset,
                   uint64_t length, std::function<void()> on_damage)
      : checksums_(checksums),
        extent_(*extent),
        reader_(blobstore::NewVerifiedReader(std::move(extent), std::move(checksums),
                                             {.size_bytes = size_bytes, .offset_bytes = offset, .length_bytes = length},
                                             [on_damage = std::move(on_damage)](uint64_t) { on_damage(); })) {}

  absl::StatusOr<size_t> Read(char* buffer, size_t size) override { return reader_->Read(buffer, size); }
  uint64_t size_bytes() const override { return reader_->size_bytes(); }
  std::optional<blobstore::BlobFile> file() const override {
    UniqueFd fd = extent_.ReadOnlyFile();
    if (!fd.is_valid()) return std::nullopt;
    return blobstore::BlobFile{std::move(fd), checksums_};
  }

 private:
  const std::vector<uint32_t> checksums_;
  const ExtentReader& extent_;  // owned by reader_
  const std::unique_ptr<blobstore::BlobReader> reader_;
};

}  // namespace

std::unique_ptr<blobstore::BlobReader> NewInlineReader(std::string bytes, uint64_t offset_bytes, uint64_t length_bytes) {
  return std::make_unique<InlineReader>(std::move(bytes), offset_bytes, length_bytes);
}

std::unique_ptr<blobstore::BlobReader> NewExtentReader(std::unique_ptr<ExtentReader> extent, std::vector<uint32_t> checksums,
                                                       uint64_t size_bytes, uint64_t offset_bytes, uint64_t length_bytes,
                                                       std::function<void()> on_damage) {
  return std::make_unique<ExtentBlobReader>(std::move(extent), std::move(checksums), size_bytes, offset_bytes,
                                                length_bytes, std::move(on_damage));
}

}  // namespace strata::store
