// Base images for one build: from the store, else from the registry that the reference names, whose layers the store then keeps.
//
//   "app:1"                   store repository "app"; else the default registry, kept under its host
//   "<our registry>/app:1"    store repository "app" only
//   "quay.example/app:1"      kept copy in the store, unless the build asked for newer ones (--pull); else that registry
// Thread-safe.
#pragma once

#include <string>
#include <vector>

#include "lib/distribution/registry_client.h"
#include "lib/oci/reference.h"
#include "services/builder/frontend/base_images.h"
#include "services/builder/progress/progress.h"
#include "services/builder/source/image_puller.h"

namespace strata::source {

struct ImageSourceOptions {
  std::vector<std::string> own_hosts;           // names our registry is reached by
  std::string default_registry = "docker.io";   // for references without a host that the store does not have; empty: none
  bool pull = false;                            // ask the registry although a copy is kept
};

class ImageSource final : public frontend::BaseImages {
 public:
  // References must outlive this object.
  ImageSource(blobstore::BlobStore& blobs, blobstore::RefStore& refs, ImagePuller& puller, distribution::RegistryClient& registry,
              ImageSourceOptions options, progress::Progress& progress)
      : blobs_(blobs), refs_(refs), puller_(puller), registry_(registry), options_(std::move(options)), progress_(progress) {}

  absl::StatusOr<frontend::BaseImage> Resolve(const CallContext& context, absl::string_view reference,
                                              const oci::Platform& platform) override;

 private:
  absl::StatusOr<frontend::BaseImage> FromStore(const CallContext& context, const std::string& repository,
                                                const blobstore::ManifestReference& reference, const oci::Platform& platform);
  absl::StatusOr<frontend::BaseImage> FromRegistry(const CallContext& context, const oci::Reference& reference,
                                                   const std::string& repository, const oci::Platform& platform);

  blobstore::BlobStore& blobs_;
  blobstore::RefStore& refs_;
  ImagePuller& puller_;
  distribution::RegistryClient& registry_;
  const ImageSourceOptions options_;
  progress::Progress& progress_;
};

}  // namespace strata::source
