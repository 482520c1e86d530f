#include "services/builder/images/image_inspector.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/status.h"
#include "lib/oci/image_config.h"
#include "lib/oci/manifest.h"
#include "lib/oci/platform.h"
#include "services/builder/source/stored_image.h"

namespace strata::images {

namespace {

constexpr size_t kMaxConfigBytes = 8 * 1024 * 1024;

// Null: the index has no such platform, or nothing at all.
absl::StatusOr<const oci::Descriptor*> SelectChild(const oci::Manifest& index, absl::string_view platform) {
  if (!platform.empty()) {
    STRATA_ASSIGN_OR_RETURN(const oci::Platform wanted, oci::Platform::Parse(platform));
    return oci::SelectPlatform(index, wanted);
  }
  const oci::Descriptor* own = oci::SelectPlatform(index, oci::Platform::Host());
  if (own != nullptr || index.manifests.empty()) return own;
  return &index.manifests.front();
}

}  // namespace

absl::StatusOr<blobstore::StoredManifest> ImageInspector::SelectManifest(const CallContext& context, const ImageName& name,
                                                                         absl::string_view platform) {
  STRATA_ASSIGN_OR_RETURN(auto stored, refs_.GetManifest(context, name.repository, {.digest = name.digest}));
  STRATA_ASSIGN_OR_RETURN(const oci::Manifest manifest, oci::ParseManifest(stored.content, stored.media_type));
  if (!manifest.is_index) return stored;
  STRATA_ASSIGN_OR_RETURN(const oci::Descriptor* child, SelectChild(manifest, platform));
  if (child != nullptr) return refs_.GetManifest(context, name.repository, {.digest = child->digest});
  std::vector<std::string> have;
  for (const oci::Descriptor& other : manifest.manifests) {
    if (other.platform) have.push_back(other.platform->ToString());
  }
  return absl::NotFoundError(absl::StrCat("image ", name.ToString(), " has no variant for ", platform.empty() ? "any platform" : platform,
                                          "; it has ", have.empty() ? "none" : absl::StrJoin(have, ", ")));
}

absl::StatusOr<InspectedImage> ImageInspector::Inspect(const CallContext& context, absl::string_view reference,
                                                       absl::string_view platform) {
  STRATA_ASSIGN_OR_RETURN(const FoundImage found, catalog_.Find(context, reference));
  STRATA_ASSIGN_OR_RETURN(auto stored, SelectManifest(context, found.name, platform));
  STRATA_ASSIGN_OR_RETURN(const oci::Manifest manifest, oci::ParseManifest(stored.content, stored.media_type));
  InspectedImage image;
  STRATA_ASSIGN_OR_RETURN(image.summary, catalog_.Summarize(context, found.name));
  STRATA_ASSIGN_OR_RETURN(const std::vector<ImageName> names, catalog_.NamesOf(context, found.name.digest));
  for (const ImageName& name : names) image.names.push_back(name.ToString());
  image.media_type = manifest.media_type;
  image.manifest = std::move(stored.content);
  std::vector<Digest> diff_ids;
  if (manifest.config) {
    STRATA_ASSIGN_OR_RETURN(image.config, source::ReadSmallBlob(context, blobs_, found.name.repository, manifest.config->digest,
                                                                kMaxConfigBytes));
    if (const auto config = oci::ImageConfig::Parse(image.config); config.ok()) diff_ids = config->diff_ids;
  }
  for (size_t i = 0; i < manifest.layers.size(); ++i) {
    const oci::Descriptor& layer = manifest.layers[i];
    image.layers.push_back({layer.digest, i < diff_ids.size() ? diff_ids[i] : Digest(), layer.media_type, layer.size_bytes});
  }
  return image;
}

}  // namespace strata::images
