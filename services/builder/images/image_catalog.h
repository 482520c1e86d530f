// What images the store has, and which one a person means. Thread-safe; blocks.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/base/call_context.h"
#include "lib/blobstore/blob_store.h"
#include "lib/blobstore/ref_store.h"
#include "lib/oci/reference.h"

namespace strata::images {

// A manifest or index of the store, with one of its names.
struct ImageName {
  std::string repository;
  std::string tag;  // empty: untagged
  Digest digest;
  // "app:1", or "app@sha256:…"
  std::string ToString() const;
};

// What a person wrote to name an image.
enum class NamedBy { kTag, kDigest, kId };

struct FoundImage {
  ImageName name;
  NamedBy by = NamedBy::kTag;
};

struct ImageSummary {
  ImageName name;
  Digest config;                        // of the only platform; empty for an index
  absl::Time created = absl::UnixEpoch();
  int64_t size_bytes = 0;               // layers, configs and manifests, compressed; each once, all platforms together
  std::vector<std::string> platforms;
};

class ImageCatalog {
 public:
  // The stores must outlive this object. `own_hosts`, `default_registry`: as for source::ImageSource.
  ImageCatalog(blobstore::BlobStore& blobs, blobstore::RefStore& refs, std::vector<std::string> own_hosts, std::string default_registry)
      : blobs_(blobs), refs_(refs), own_hosts_(std::move(own_hosts)), default_registry_(std::move(default_registry)) {}

  // `pattern`: a glob on "name" or "name:tag", empty for all. `all`: untagged manifests too. In order of repositories and tags.
  absl::StatusOr<std::vector<ImageSummary>> List(const CallContext& context, absl::string_view pattern, bool all);

  // What "name[:tag]", "name@digest" or an id (of at least 4 hex digits, of config or manifest) means; a name wins over an id.
  // kNotFound, with how to list what there is. kInvalidArgument: no reference, or an id that fits several images.
  absl::StatusOr<FoundImage> Find(const CallContext& context, absl::string_view text);

  // Every tag in any repository that points to the manifest.
  absl::StatusOr<std::vector<ImageName>> NamesOf(const CallContext& context, const Digest& digest);
  // Every repository that has the manifest, tagged or not.
  absl::StatusOr<std::vector<std::string>> RepositoriesOf(const CallContext& context, const Digest& digest);

  // kNotFound: the manifest is gone. Children of an index that are not in the store are left out.
  absl::StatusOr<ImageSummary> Summarize(const CallContext& context, ImageName name);

  // The store's repository for a name that people write.
  std::string RepositoryOf(const oci::Reference& reference) const { return reference.StoreRepository(own_hosts_); }

 private:
  absl::Status ForEachRepository(const CallContext& context, const std::function<absl::Status(const std::string&)>& visit);
  absl::Status ForEachTag(const CallContext& context, const std::string& repository,
                          const std::function<absl::Status(const blobstore::TagEntry&)>& visit);
  absl::Status ForEachManifest(const CallContext& context, const std::string& repository,
                               const std::function<absl::Status(const blobstore::ManifestEntry&)>& visit);
  absl::StatusOr<FoundImage> FindId(const CallContext& context, absl::string_view hex);

  blobstore::BlobStore& blobs_;
  blobstore::RefStore& refs_;
  const std::vector<std::string> own_hosts_;
  const std::string default_registry_;
};

}  // namespace strata::images
