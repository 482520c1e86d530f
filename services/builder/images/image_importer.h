// Makes a one-layer image of a root file system tar. Thread-safe; blocks.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/call_context.h"
#include "lib/base/clock.h"
#include "lib/blobstore/blob_store.h"
#include "lib/blobstore/ref_store.h"
#include "lib/bytes/byte_stream.h"
#include "services/builder/images/image_catalog.h"
#include "services/builder/layer/pipeline.h"

namespace strata::images {

struct ImportSpec {
  std::string name;                  // "app:1"
  std::string message;               // of the history entry; empty: says that it was imported
  std::string platform;              // empty: of this machine
  std::vector<std::string> changes;  // as frontend::ApplyChanges takes them
};

struct ImportedImage {
  ImageName name;
  Digest config;
  int64_t size_bytes = 0;  // of the compressed layer
};

class ImageImporter {
 public:
  // All must outlive this object.
  ImageImporter(blobstore::BlobStore& blobs, blobstore::RefStore& refs, const ImageCatalog& catalog, const Clock& clock,
                const layer::LayerSinkOptions& layer)
      : blobs_(blobs), refs_(refs), catalog_(catalog), clock_(clock), layer_(layer) {}

  // `content`: a tar, plain or compressed with gzip, zstd, xz or bzip2, read to its end and checked on its way into the store.
  // kInvalidArgument: no such tar, an empty one, a name with a digest, or anything wrong in the spec. Nothing is stored then.
  absl::StatusOr<ImportedImage> Import(const CallContext& context, const ImportSpec& spec, ByteSource& content);

 private:
  blobstore::BlobStore& blobs_;
  blobstore::RefStore& refs_;
  const ImageCatalog& catalog_;
  const Clock& clock_;
  const layer::LayerSinkOptions layer_;
};

}  // namespace strata::images
