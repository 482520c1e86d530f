// Takes the images of an archive into the store: what ArchiveWriter, `docker save` (1.10 to 28), podman and skopeo write.
//
// Layers go to the store while the archive streams by; when all of it was read and makes sense, manifests and names follow. Thread-safe;
// blocks. Memory: the documents of the archive, at most 64 MiB, and what one layer's compression takes.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/call_context.h"
#include "lib/blobstore/blob_store.h"
#include "lib/blobstore/ref_store.h"
#include "lib/bytes/byte_stream.h"
#include "services/builder/images/archive_plan.h"
#include "services/builder/images/image_catalog.h"

namespace strata::images {

// Where images go that their archive gives no name.
inline constexpr char kNamelessRepository[] = "untagged";

class ArchiveReader {
 public:
  // All must outlive this object.
  ArchiveReader(blobstore::BlobStore& blobs, blobstore::RefStore& refs, const ImageCatalog& catalog,
                const layer::LayerSinkOptions& layer)
      : blobs_(blobs), refs_(refs), catalog_(catalog), layer_(layer) {}

  // The names that were set, as people write them; for an image without a name its digest.
  // kInvalidArgument: not such an archive (ReadArchive, PlanImages); then no image and no name has changed.
  absl::StatusOr<std::vector<std::string>> Load(const CallContext& context, ByteSource& archive);

 private:
  absl::Status StoreImage(const CallContext& context, const ArchiveContents& contents, const PlannedImage& image,
                          const std::string& repository, const std::vector<std::string>& tags);

  blobstore::BlobStore& blobs_;
  blobstore::RefStore& refs_;
  const ImageCatalog& catalog_;
  const layer::LayerSinkOptions layer_;
};

}  // namespace strata::images
