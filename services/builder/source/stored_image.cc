#include "services/builder/source/stored_image.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "lib/base/status.h"
#include "lib/bytes/byte_stream.h"

namespace strata::source {

namespace {

constexpr size_t kMaxConfigBytes = 8 * 1024 * 1024;

absl::Status NoSuchPlatform(const oci::Manifest& index, const oci::Platform& platform, absl::string_view repository) {
  std::vector<std::string> have;
  for (const oci::Descriptor& child : index.manifests) {
    if (child.platform) have.push_back(child.platform->ToString());
  }
  return absl::NotFoundError(absl::StrCat("image ", repository, " has no variant for ", platform.ToString(), "; it has ",
                                          have.empty() ? "none" : absl::StrJoin(have, ", ")));
}

}  // namespace

absl::StatusOr<std::string> ReadSmallBlob(const CallContext& context, blobstore::BlobStore& blobs, absl::string_view repository,
                                          const Digest& digest, size_t limit_bytes) {
  STRATA_ASSIGN_OR_RETURN(const auto reader, blobs.OpenBlob(context, repository, digest));
  auto content = ReadAll(*reader, limit_bytes);
  if (!content.ok()) return Annotate(content.status(), absl::StrCat("reading ", digest.ToString()));
  return content;
}

absl::StatusOr<StoredImage> OpenStoredImage(const CallContext& context, blobstore::BlobStore& blobs, blobstore::RefStore& refs,
                                            absl::string_view repository, const blobstore::ManifestReference& reference,
                                            const oci::Platform& platform) {
  StoredImage image;
  image.repository = std::string(repository);
  STRATA_ASSIGN_OR_RETURN(image.raw, refs.GetManifest(context, repository, reference));
  image.top = image.raw.digest;
  STRATA_ASSIGN_OR_RETURN(image.manifest, oci::ParseManifest(image.raw.content, image.raw.media_type));
  if (image.manifest.is_index) {
    const oci::Descriptor* child = oci::SelectPlatform(image.manifest, platform);
    if (child == nullptr) return NoSuchPlatform(image.manifest, platform, repository);
    STRATA_ASSIGN_OR_RETURN(image.raw, refs.GetManifest(context, repository, {.digest = child->digest}));
    STRATA_ASSIGN_OR_RETURN(image.manifest, oci::ParseManifest(image.raw.content, image.raw.media_type));
    if (image.manifest.is_index) return absl::InvalidArgumentError("an index within an index is no image of one platform");
  }
  if (!image.manifest.config) return absl::InvalidArgumentError(absl::StrCat(repository, " is an artifact, not an image: it has no config"));
  STRATA_ASSIGN_OR_RETURN(image.config_json,
                          ReadSmallBlob(context, blobs, repository, image.manifest.config->digest, kMaxConfigBytes));
  auto config = oci::ImageConfig::Parse(image.config_json);
  if (!config.ok()) return Annotate(config.status(), absl::StrCat("config of ", repository));
  image.config = *std::move(config);
  if (image.config.diff_ids.size() != image.manifest.layers.size()) {
    return absl::InvalidArgumentError(absl::StrCat(repository, " is not an image that can be run: its manifest has ",
                                                   image.manifest.layers.size(), " layers, its config ", image.config.diff_ids.size()));
  }
  for (size_t i = 0; i < image.manifest.layers.size(); ++i) {
    const oci::Descriptor& descriptor = image.manifest.layers[i];
    snapshot::Layer layer;
    layer.diff_id = image.config.diff_ids[i];
    layer.blob = descriptor.digest;
    layer.size_bytes = descriptor.size_bytes;
    layer.media_type = descriptor.media_type;
    image.layers.push_back(std::move(layer));
  }
  return image;
}

}  // namespace strata::source
