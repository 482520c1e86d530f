// Copies an image of the store to another registry: blobs first, several at once, then manifests, the tag last.
//
// What the registry has already is not sent. Thread-safe; blocks.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "lib/base/call_context.h"
#include "lib/blobstore/blob_store.h"
#include "lib/blobstore/ref_store.h"
#include "lib/distribution/registry_client.h"
#include "services/builder/images/image_catalog.h"
#include "services/builder/source/image_puller.h"

namespace strata::images {

class ImagePusher {
 public:
  // Both must outlive this object.
  ImagePusher(blobstore::BlobStore& blobs, blobstore::RefStore& refs) : blobs_(blobs), refs_(refs) {}

  // Pushes all that `image` holds, every platform of an index, to `remote` under `tag`; returns the digest there.
  // `report`: "already exists", "pushing", "done", by digest; called from several threads.
  // Errors: those of RegistryClient and of the store.
  absl::StatusOr<Digest> Push(const CallContext& context, distribution::RegistryClient& registry, const ImageName& image,
                              const distribution::RemoteRepository& remote, const std::string& tag, const source::TransferReport& report);

 private:
  class Transfer;
  blobstore::BlobStore& blobs_;
  blobstore::RefStore& refs_;
};

}  // namespace strata::images
