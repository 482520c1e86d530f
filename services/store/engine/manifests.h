// Manifests and indexes of repositories, and the references that follow from them. RefStore's manifest part.
//
// Thread-safe; calls block. Every change is one synced transaction.
#pragma once

#include <string>
#include <vector>

#include "lib/blobstore/ref_store.h"
#include "services/store/engine/core.h"
#include "services/store/engine/rows.h"

namespace strata::store {

class Manifests {
 public:
  // `core` outlives this object.
  explicit Manifests(const Core& core) : core_(core) {}

  absl::StatusOr<blobstore::PutManifestResult> Put(absl::string_view repository, absl::string_view media_type,
                                                   absl::string_view content, const blobstore::PutManifestOptions& options);
  absl::StatusOr<blobstore::StoredManifest> Get(absl::string_view repository, const blobstore::ManifestReference& reference,
                                                bool head_only);
  absl::StatusOr<std::vector<std::string>> Delete(absl::string_view repository, const Digest& digest);

 private:
  // `asked` is how errors name the manifest.
  absl::StatusOr<blobstore::StoredManifest> Read(absl::string_view repository, const Digest& digest, const std::string& asked,
                                                 bool head_only);

  const Core& core_;
};

}  // namespace strata::store
