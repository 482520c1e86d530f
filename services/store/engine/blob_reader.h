// Readers of stored blobs that verify what they hand out.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/blobstore/blob_store.h"
#include "services/store/engine/extents.h"

namespace strata::store {

// Reads [offset, offset + length) of bytes held in memory; the range lies within.
std::unique_ptr<blobstore::BlobReader> NewInlineReader(std::string bytes, uint64_t offset_bytes, uint64_t length_bytes);

// Reads a range of an extent of `size_bytes`. Each piece (piece_checksums.h) that the range touches is verified: the last bytes of
// it are returned only when the whole piece, also its part outside the range, matches; else Read() is kDataLoss and calls `on_damage`.
// The bytes stay readable when the extent is removed meanwhile.
std::unique_ptr<blobstore::BlobReader> NewExtentReader(std::unique_ptr<ExtentReader> extent, std::vector<uint32_t> checksums,
                                                       uint64_t size_bytes, uint64_t offset_bytes, uint64_t length_bytes,
                                                       std::function<void()> on_damage);

}  // namespace strata::store
