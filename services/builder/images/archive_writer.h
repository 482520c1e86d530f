// Writes images of the store as one tar that is a docker-archive and an OCI layout at the same time (archive_format.h).
//
//   oci-layout  index.json  manifest.json  repositories      a few kilobytes, first: a reader knows at once what will come
//   blobs/<algorithm>/<hex>                                  each manifest, config and layer once, byte for byte as stored
//
// The docker-archive half shows one platform of an index: this machine's, else the first. Layers stay compressed; `docker load`
// (1.10 and later), podman and skopeo take them so. Same images, same bytes. Thread-safe; blocks.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "lib/base/call_context.h"
#include "lib/blobstore/blob_store.h"
#include "lib/blobstore/ref_store.h"
#include "lib/bytes/byte_stream.h"
#include "services/builder/images/image_catalog.h"

namespace strata::images {

class ArchiveWriter {
 public:
  // All must outlive this object.
  ArchiveWriter(blobstore::BlobStore& blobs, blobstore::RefStore& refs, ImageCatalog& catalog)
      : blobs_(blobs), refs_(refs), catalog_(catalog) {}

  // References as ImageCatalog::Find takes them; what was named by id or digest has no name in the archive. Nothing is written when
  // one of them is wrong. Errors: those of Find, of the store and of `out`.
  absl::Status Write(const CallContext& context, absl::Span<const std::string> references, ByteSink& out);

 private:
  class Archive;

  blobstore::BlobStore& blobs_;
  blobstore::RefStore& refs_;
  ImageCatalog& catalog_;
};

}  // namespace strata::images
