// An image of the store, opened for one platform: documents, layers, names of nothing else. Value type.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/call_context.h"
#include "lib/blobstore/blob_store.h"
#include "lib/blobstore/ref_store.h"
#include "lib/oci/image_config.h"
#include "lib/oci/manifest.h"
#include "lib/oci/platform.h"
#include "services/builder/snapshot/snapshot_store.h"

namespace strata::source {

struct StoredImage {
  std::string repository;
  Digest top;                         // what the reference pointed to: the manifest, or the index it is a child of
  blobstore::StoredManifest raw;      // the platform's manifest, byte for byte
  oci::Manifest manifest;
  std::string config_json;
  oci::ImageConfig config;
  std::vector<snapshot::Layer> layers;
};

// Opens what `reference` names in `repository`; of an index the child for `platform`.
// kNotFound: no such manifest, or the index has no such platform (the message lists those it has).
// kInvalidArgument: not an image (an artifact without image config, or layers and diff IDs that disagree).
absl::StatusOr<StoredImage> OpenStoredImage(const CallContext& context, blobstore::BlobStore& blobs, blobstore::RefStore& refs,
                                            absl::string_view repository, const blobstore::ManifestReference& reference,
                                            const oci::Platform& platform);

// The whole of a small blob, such as a config. kResourceExhausted: over `limit_bytes`.
absl::StatusOr<std::string> ReadSmallBlob(const CallContext& context, blobstore::BlobStore& blobs, absl::string_view repository,
                                          const Digest& digest, size_t limit_bytes);

}  // namespace strata::source
