// Reading committed blobs, and linking them to repositories. The BlobStore contract without its uploads.
//
// Thread-safe; calls block.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "lib/blobstore/blob_store.h"
#include "services/store/engine/core.h"
#include "services/store/engine/rows.h"

namespace strata::store {

class Blobs {
 public:
  // `core` outlives this object.
  explicit Blobs(const Core& core) : core_(core) {}

  absl::StatusOr<std::unique_ptr<blobstore::BlobReader>> Open(absl::string_view repository, const Digest& digest,
                                                              uint64_t offset_bytes, std::optional<uint64_t> length_bytes);
  absl::StatusOr<std::vector<std::optional<uint64_t>>> Stat(absl::string_view repository, absl::Span<const Digest> digests);
  absl::Status Link(absl::string_view repository, absl::string_view from_repository, absl::Span<const Digest> digests);
  absl::Status Unlink(absl::string_view repository, const Digest& digest);

 private:
  // Who was told that the repository has a blob may count on it for half the grace period at least.
  absl::Status RenewLeases(absl::string_view repository, std::vector<Digest> digests);
  // Whether a link's lease is so old that it is renewed when the blob is asked for.
  absl::StatusOr<bool> IsLeaseOld(Reader& reader, absl::string_view repository, const Digest& digest) const;
  absl::StatusOr<std::optional<BlobRow>> FindReadable(absl::string_view repository, const Digest& digest);
  absl::StatusOr<std::string> ReadInline(const Digest& digest, const BlobRow& row);
  absl::StatusOr<std::unique_ptr<blobstore::BlobReader>> OpenExtent(const Digest& digest, const BlobRow& row, uint64_t offset,
                                                                    uint64_t length);
  // Never serves the blob with these bytes again.
  void Quarantine(const Digest& digest, uint64_t id, absl::string_view reason);

  const Core& core_;
};

}  // namespace strata::store
