// CRC-32 of each whole MiB of an extent, so that every read is verified without hashing the blob again (0.05 s a GiB).
//
// The CRC is the one of gzip and zlib. Value type; thread-compatible.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/blobstore/verified_reader.h"
#include "lib/digest/crc32.h"

namespace strata::store {

using blobstore::kChecksumPieceBytes;

class PieceChecksums {
 public:
  void Update(absl::string_view data);
  // One a piece, the last one of what is left over when the content is no whole number of MiB.
  std::vector<uint32_t> Finish() const;

  // For the row of an upload session. kDataLoss: not such a state.
  std::string SaveState() const;
  static absl::StatusOr<PieceChecksums> Restore(absl::string_view state);

 private:
  std::vector<uint32_t> whole_;  // finished pieces
  uint32_t crc_ = 0;             // of the piece being filled
  uint32_t filled_ = 0;          // its bytes
};

std::string EncodeChecksums(const std::vector<uint32_t>& checksums);
// kDataLoss: not the checksums of `size_bytes` bytes.
absl::StatusOr<std::vector<uint32_t>> DecodeChecksums(absl::string_view bytes, uint64_t size_bytes);

}  // namespace strata::store
