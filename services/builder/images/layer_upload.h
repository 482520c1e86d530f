// Content that arrives from outside becomes blobs of the store, or nothing: a failed upload leaves no session behind.
//
// Blobs go to blobstore::kBuildRepository, where a lease keeps them until a manifest links them. Thread-safe; blocks.
#pragma once

#include <functional>

#include "absl/status/statusor.h"
#include "lib/base/call_context.h"
#include "lib/blobstore/blob_store.h"
#include "lib/bytes/byte_stream.h"
#include "services/builder/layer/pipeline.h"
#include "services/builder/snapshot/snapshot_store.h"

namespace strata::images {

// Compresses and stores the tar that `produce` writes. Errors: those of `produce` and of the store.
absl::StatusOr<snapshot::Layer> UploadLayer(const CallContext& context, blobstore::BlobStore& blobs, const layer::LayerSinkOptions& options,
                                            const std::function<absl::Status(ByteSink& tar)>& produce);

}  // namespace strata::images
