// One image in full: documents byte for byte, layers, names. Thread-safe; blocks.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/call_context.h"
#include "lib/blobstore/blob_store.h"
#include "lib/blobstore/ref_store.h"
#include "services/builder/images/image_catalog.h"

namespace strata::images {

struct InspectedLayer {
  Digest digest;
  Digest diff_id;  // empty: the config does not say, as of artifacts
  std::string media_type;
  int64_t size_bytes = 0;
};

struct InspectedImage {
  ImageSummary summary;                // of what was asked for, an index with all its platforms
  std::vector<std::string> names;
  std::string media_type;              // of the manifest
  std::string manifest;                // of one platform
  std::string config;                  // its config; empty: it has none
  std::vector<InspectedLayer> layers;
};

class ImageInspector {
 public:
  // All must outlive this object.
  ImageInspector(blobstore::BlobStore& blobs, blobstore::RefStore& refs, ImageCatalog& catalog)
      : blobs_(blobs), refs_(refs), catalog_(catalog) {}

  // `platform` of an index; empty: this machine's, else the first there is.
  // Errors of ImageCatalog::Find; kNotFound: no such platform, the message lists those there are.
  absl::StatusOr<InspectedImage> Inspect(const CallContext& context, absl::string_view reference, absl::string_view platform);

 private:
  absl::StatusOr<blobstore::StoredManifest> SelectManifest(const CallContext& context, const ImageName& name,
                                                           absl::string_view platform);

  blobstore::BlobStore& blobs_;
  blobstore::RefStore& refs_;
  ImageCatalog& catalog_;
};

}  // namespace strata::images
