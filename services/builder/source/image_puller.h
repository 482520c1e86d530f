// Copies an image from another registry into the store: manifest first, then what the store lacks, several blobs at once.
//
// Content is verified on its way. A blob that two pulls need at once is fetched once. Thread-safe; blocks.
#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "lib/base/call_context.h"
#include "lib/blobstore/blob_store.h"
#include "lib/blobstore/ref_store.h"
#include "lib/distribution/registry_client.h"
#include "lib/oci/manifest.h"
#include "lib/oci/platform.h"
#include "services/builder/solver/flights.h"

namespace strata::source {

// Told how a blob gets on; any thread. `status`: "downloading", "already exists", "done".
using TransferReport = std::function<void(const Digest& digest, absl::string_view status, int64_t current_bytes, int64_t total_bytes)>;

struct PullRequest {
  distribution::RemoteRepository remote;
  std::string reference;                      // tag or digest there
  std::string repository;                     // of the store
  std::string tag;                            // of the store; empty: none
  std::optional<oci::Platform> platform;      // of an index take only this child, which the tag then names; absent: everything
};

class ImagePuller {
 public:
  // All must outlive this object.
  ImagePuller(blobstore::BlobStore& blobs, blobstore::RefStore& refs, solver::Flights& flights)
      : blobs_(blobs), refs_(refs), flights_(flights) {}

  // The digest that was stored. Errors: those of RegistryClient; kNotFound also for a platform that the index does not have.
  absl::StatusOr<Digest> Pull(const CallContext& context, distribution::RegistryClient& registry, const PullRequest& request,
                              const TransferReport& report);

 private:
  class Transfer;
  blobstore::BlobStore& blobs_;
  blobstore::RefStore& refs_;
  solver::Flights& flights_;
};

}  // namespace strata::source
