// Pull and push as people ask for them: what a reference means, and which registry it goes to or comes from.
//
//   pull "quay.example/app:1"   from there, kept as quay.example/app:1        pull "app:1"   from the default registry, kept under its host
//   push "app:1" to "quay.example/app:1"      push "quay.example/app:1"   back to where its name says
// A name of our own registry is in the store already: pulling it only looks, pushing to it only sets the name.
// Thread-safe; blocks.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/call_context.h"
#include "lib/blobstore/blob_store.h"
#include "lib/blobstore/ref_store.h"
#include "lib/distribution/registry_client.h"
#include "services/builder/images/image_catalog.h"
#include "services/builder/source/image_puller.h"

namespace strata::images {

struct PullSpec {
  std::string reference;
  std::string platform;        // empty: this machine's, or all
  bool all_platforms = false;  // the whole index
};

struct PushSpec {
  std::string source;  // of the store
  std::string target;  // "host[:port]/name:tag"; empty: what `source` says
};

struct TransferResult {
  Digest digest;
  std::string name;  // of what is there now: in the store (pull), at the registry (push)
};

class ImageTransfer {
 public:
  // All must outlive this object.
  ImageTransfer(blobstore::BlobStore& blobs, blobstore::RefStore& refs, ImageCatalog& catalog, source::ImagePuller& puller,
                std::vector<std::string> own_hosts, std::string default_registry)
      : blobs_(blobs),
        refs_(refs),
        catalog_(catalog),
        puller_(puller),
        own_hosts_(std::move(own_hosts)),
        default_registry_(std::move(default_registry)) {}

  // kInvalidArgument: no reference, no such platform name, or no registry to ask. Else errors of ImagePuller::Pull.
  absl::StatusOr<TransferResult> Pull(const CallContext& context, distribution::RegistryClient& registry, const PullSpec& spec,
                                      const source::TransferReport& report);

  // kNotFound: no such source. kInvalidArgument: nothing says which registry. Else errors of ImagePusher::Push.
  absl::StatusOr<TransferResult> Push(const CallContext& context, distribution::RegistryClient& registry, const PushSpec& spec,
                                      const source::TransferReport& report);

 private:
  bool IsOwn(const std::string& host) const;

  blobstore::BlobStore& blobs_;
  blobstore::RefStore& refs_;
  ImageCatalog& catalog_;
  source::ImagePuller& puller_;
  const std::vector<std::string> own_hosts_;
  const std::string default_registry_;
};

}  // namespace strata::images
