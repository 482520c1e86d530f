// What images the store has, and which one a person means. Thread-safe; blocks.
#pragma once

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

struct ImageSummary {
  ImageName name;
  Digest config;                        // of the only platform; empty for an index
  absl::Time created = absl::UnixEpoch();
  int64_t size_bytes = 0;               // layers, config and manifest, compressed; all platforms together
  std::vector<std::string> platforms;
};

class ImageCatalog {
 public:
  // The stores must outlive this object. `own_hosts`, `default_registry`: as for source::ImageSource.
  ImageCatalog(blobstore::BlobStore& blobs, blobstore::RefStore& refs, std::vector<std::string> own_hosts, std::string default_registry)
      : blobs_(blobs), refs_(refs), own_hosts_(std::move(own_hosts)), default_registry_(std::move(default_registry)) {}

  // `pattern`: a glob on "name" or "name:tag", empty for all. `all`: untagged manifests too. In order of names.
  absl::StatusOr<std::vector<ImageSummary>> List(const CallContext& context, absl::string_view pattern, bool all);

  // What "name[:tag]", "name@digest" or an id of at least 4 hex digits means.
  // kNotFound, with how to list what there is. kInvalidArgument: no reference, or an id that fits several images.
  absl::StatusOr<ImageName> Find(const CallContext& context, absl::string_view text);

  // Whether `text` named it by id, not by name.
  static bool LooksLikeId(absl::string_view text);

  // Every tag in any repository that points to the manifest.
  absl::StatusOr<std::vector<ImageName>> NamesOf(const CallContext& context, const Digest& digest);

  absl::StatusOr<ImageSummary> Summarize(const CallContext& context, ImageName name);

  // The store's repository for a name that people write.
  std::string RepositoryOf(const oci::Reference& reference) const { return reference.StoreRepository(own_hosts_); }

 private:
  template <typename Visit>
  absl::Status ForEachRepository(const CallContext& context, Visit visit);
  template <typename Visit>
  absl::Status ForEachTag(const CallContext& context, const std::string& repository, Visit visit);
  template <typename Visit>
  absl::Status ForEachManifest(const CallContext& context, const std::string& repository, Visit visit);
  absl::StatusOr<ImageName> FindId(const CallContext& context, absl::string_view hex);

  blobstore::BlobStore& blobs_;
  blobstore::RefStore& refs_;
  const std::vector<std::string> own_hosts_;
  const std::string default_registry_;
};

}  // namespace strata::images
