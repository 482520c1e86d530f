// Makes an image of what a build yielded: config, manifest, for several platforms an index, and the names that point at it.
//
// The layers are in the store already, so this writes a few kilobytes, whatever the image's size. Same input, same digests: times
// come from the steps that made the layers (or SOURCE_DATE_EPOCH), never from the clock. Thread-safe; blocks.
// Spec: OCI image-spec manifest.md, config.md, image-index.md; Docker image manifest v2 schema 2.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "lib/base/call_context.h"
#include "lib/blobstore/blob_store.h"
#include "lib/blobstore/ref_store.h"
#include "lib/digest/digest.h"
#include "lib/oci/image_config.h"
#include "services/builder/snapshot/snapshot_store.h"

namespace strata::exporter {

enum class Format { kOci, kDocker };

// One platform's result.
struct ImageContent {
  oci::ImageConfig config;  // without diff_ids and created
  std::vector<snapshot::Layer> layers;
};

// Where the image gets its names: a repository of the store, and tags in it.
struct Target {
  std::string repository;
  std::string tag;
};

struct ExportOptions {
  Format format = Format::kOci;
  std::optional<absl::Time> epoch;  // SOURCE_DATE_EPOCH
};

struct ExportedImage {
  Digest digest;         // of the manifest, or of the index
  std::string media_type;
  int64_t size_bytes = 0;
  Digest config_digest;  // of the only platform; empty for an index
  int64_t layers = 0;
  int64_t compressed_bytes = 0;
};

class ImageExporter {
 public:
  // Both must outlive this object.
  ImageExporter(blobstore::BlobStore& blobs, blobstore::RefStore& refs) : blobs_(blobs), refs_(refs) {}

  // With no targets nothing is stored but the digest is told all the same.
  // kFailedPrecondition: a layer is no longer in the store; build again.
  absl::StatusOr<ExportedImage> Export(const CallContext& context, absl::Span<const ImageContent> platforms,
                                       absl::Span<const Target> targets, const ExportOptions& options);

 private:
  blobstore::BlobStore& blobs_;
  blobstore::RefStore& refs_;
};

}  // namespace strata::exporter
