// The snapshot store's view of layers in our store.
#pragma once

#include <memory>

#include "lib/blobstore/blob_store.h"
#include "services/builder/snapshot/snapshot_store.h"

namespace strata::source {

class StoreLayers final : public snapshot::LayerSource {
 public:
  // `blobs` must outlive this object.
  explicit StoreLayers(blobstore::BlobStore& blobs) : blobs_(blobs) {}

  absl::StatusOr<std::unique_ptr<ByteSource>> OpenLayer(const CallContext& context, const snapshot::Layer& layer) override {
    auto reader = blobs_.OpenBlob(context, "", layer.blob);
    if (!reader.ok()) return reader.status();
    return std::unique_ptr<ByteSource>(*std::move(reader));
  }

 private:
  blobstore::BlobStore& blobs_;
};

}  // namespace strata::source
