// Naming and removing images. No bytes are copied. Thread-safe; blocks.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/builder/images/image_catalog.h"

namespace strata::images {

struct Removal {
  std::vector<std::string> untagged;  // names
  std::vector<std::string> deleted;   // manifest digests that no repository has any more
  int deletions = 0;                  // of manifests, in each repository
};

class ImageEditor {
 public:
  // Both must outlive this object.
  ImageEditor(ImageCatalog& catalog, blobstore::RefStore& refs) : catalog_(catalog), refs_(refs) {}

  // Points `target` at the image that `source` names, with everything it holds; returns its digest.
  // kNotFound: no such source. kInvalidArgument: `target` is no name, or has a digest.
  absl::StatusOr<Digest> Tag(const CallContext& context, absl::string_view source, absl::string_view target);

  // By name: that name goes, and the manifest with its repository's last name for it. By "name@digest": all names there. By id: all
  // names anywhere. Several names go at once only with `force`.
  // kNotFound. kFailedPrecondition: several names and no force, or the image is a part of an index.
  absl::StatusOr<Removal> Remove(const CallContext& context, absl::string_view text, bool force);

 private:
  absl::Status Copy(const CallContext& context, const std::string& from, const std::string& to, const Digest& digest,
                    const std::string& tag, std::set<Digest>& visited);
  absl::StatusOr<std::vector<ImageName>> NamesToRemove(const CallContext& context, const FoundImage& image);
  absl::Status DeleteIfNameless(const CallContext& context, const std::string& repository, const Digest& digest, Removal& removal);

  ImageCatalog& catalog_;
  blobstore::RefStore& refs_;
};

}  // namespace strata::images
