// Naming and removing images. No bytes are copied. Thread-safe; blocks.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/builder/images/image_catalog.h"

namespace strata::images {

struct Removal {
  std::vector<std::string> untagged;  // names
  std::vector<std::string> deleted;   // manifest digests
};

class ImageEditor {
 public:
  // Both must outlive this object.
  ImageEditor(ImageCatalog& catalog, blobstore::RefStore& refs) : catalog_(catalog), refs_(refs) {}

  // Points `target` at the image that `source` names, with everything it holds; returns its digest.
  // kNotFound: no such source. kInvalidArgument: `target` is no name, or has a digest.
  absl::StatusOr<Digest> Tag(const CallContext& context, absl::string_view source, absl::string_view target);

  // By name: that name goes, and the manifest with its last name. By id: all names, when there is one or `force` is set.
  // kNotFound. kFailedPrecondition: several names and no force, or an index that needs it.
  absl::StatusOr<Removal> Remove(const CallContext& context, absl::string_view text, bool force);

 private:
  absl::Status Copy(const CallContext& context, const std::string& from, const std::string& to, const Digest& digest,
                    const std::string& tag);
  absl::Status DeleteIfNameless(const CallContext& context, const std::string& repository, const Digest& digest, Removal& removal);

  ImageCatalog& catalog_;
  blobstore::RefStore& refs_;
};

}  // namespace strata::images
