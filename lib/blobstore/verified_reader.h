// Reads a blob's stored bytes and verifies them against the CRC-32 of each of its whole MiB ("pieces") on the way.
//
// The store reads its extents so, and so does a service that was given an extent's file (lib/descriptor): whoever takes bytes from
// the disk verifies them, every time, at 0.05 s a GiB.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "lib/base/unique_fd.h"
#include "lib/blobstore/blob_store.h"

namespace strata::blobstore {

// The last piece of a blob is what is left over.
inline constexpr uint64_t kChecksumPieceBytes = 1 << 20;

// Bytes at any offset. ReadAt is thread-safe.
class RandomSource {
 public:
  virtual ~RandomSource() = default;
  // Fills `buffer`. kDataLoss: the bytes end before or cannot be read.
  virtual absl::Status ReadAt(uint64_t offset_bytes, char* buffer, size_t size) const = 0;
};

class FileSource final : public RandomSource {
 public:
  explicit FileSource(UniqueFd fd) : fd_(std::move(fd)) {}
  absl::Status ReadAt(uint64_t offset_bytes, char* buffer, size_t size) const override;

 private:
  const UniqueFd fd_;
};

// [offset, offset + length) of a blob of `size_bytes`; it lies within. The checksums that come with it begin with that of
// `first_piece` and reach to the end of the range at least.
struct VerifiedRange {
  uint64_t size_bytes = 0;
  uint64_t offset_bytes = 0;
  uint64_t length_bytes = 0;
  uint64_t first_piece = 0;
};

// The last bytes of a piece are returned only when the whole piece, also its part outside the range, matches. With a buffer of
// kChecksumPieceBytes that means: nothing is returned that was not verified, except where a range begins inside a piece or goes on
// after a smaller read. Else Read() is kDataLoss, after it called `on_damage` (may be empty) with an offset in the damaged piece.
std::unique_ptr<BlobReader> NewVerifiedReader(std::unique_ptr<RandomSource> source, std::vector<uint32_t> checksums,
                                              const VerifiedRange& range, std::function<void(uint64_t)> on_damage);

}  // namespace strata::blobstore
