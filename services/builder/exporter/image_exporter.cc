#include "services/builder/exporter/image_exporter.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/bytes/byte_stream.h"
#include "lib/oci/manifest.h"
#include "lib/oci/media_type.h"

namespace strata::exporter {

namespace {

// A document ready to be stored: the manifest of one platform with its config, or an index.
struct Document {
  std::string content;
  oci::Descriptor descriptor;
  std::string config;
};

oci::Descriptor Describe(absl::string_view content, absl::string_view media_type) {
  oci::Descriptor descriptor;
  descriptor.media_type = std::string(media_type);
  descriptor.digest = Digest::Of(content);
  descriptor.size_bytes = static_cast<int64_t>(content.size());
  return descriptor;
}

// Gives each history entry that a build added the time of the layer it stands for, or of the one before it.
void SetTimes(oci::ImageConfig& config, const std::vector<snapshot::Layer>& layers, const std::optional<absl::Time>& epoch) {
  std::optional<absl::Time> last = config.created;
  size_t layer = 0;
  for (oci::HistoryEntry& entry : config.history) {
    if (!entry.empty_layer && layer < layers.size()) {
      const absl::Time made = layers[layer++].created;
      if (!entry.created && made != absl::InfinitePast()) entry.created = epoch ? *epoch : made;
    }
    if (!entry.created) entry.created = epoch ? epoch : last;
    if (entry.created) last = entry.created;
  }
  config.created = epoch ? *epoch : last.value_or(absl::UnixEpoch());
}

// The store says which blob is missing; what to do about it is ours to say.
absl::Status NotStored(const absl::Status& status, absl::string_view what, absl::string_view repository) {
  const absl::Status told = Annotate(status, absl::StrCat("storing the ", what, " of ", repository));
  if (!absl::IsFailedPrecondition(status)) return told;
  return absl::FailedPreconditionError(
      absl::StrCat(told.message(), "; a layer left the store while the image was built: build again"));
}

Document MakeManifest(const ImageContent& image, const ExportOptions& options) {
  const bool is_docker = options.format == Format::kDocker;
  oci::ImageConfig config = image.config;
  config.diff_ids.clear();
  oci::Manifest manifest;
  manifest.media_type = is_docker ? oci::kDockerManifest : oci::kOciManifest;
  for (const snapshot::Layer& layer : image.layers) {
    config.diff_ids.push_back(layer.diff_id);
    oci::Descriptor descriptor;
    descriptor.media_type = std::string(is_docker ? oci::ToDockerLayerType(layer.media_type) : oci::ToOciLayerType(layer.media_type));
    descriptor.digest = layer.blob;
    descriptor.size_bytes = layer.size_bytes;
    manifest.layers.push_back(std::move(descriptor));
  }
  SetTimes(config, image.layers, options.epoch);
  Document document;
  document.config = config.ToJson();
  manifest.config = Describe(document.config, is_docker ? oci::kDockerConfig : oci::kOciConfig);
  document.content = oci::WriteManifest(manifest);
  document.descriptor = Describe(document.content, manifest.media_type);
  document.descriptor.platform = config.platform;
  return document;
}

Document MakeIndex(const std::vector<Document>& manifests, Format format) {
  oci::Manifest index;
  index.media_type = format == Format::kDocker ? oci::kDockerManifestList : oci::kOciIndex;
  index.is_index = true;
  for (const Document& manifest : manifests) index.manifests.push_back(manifest.descriptor);
  Document document;
  document.content = oci::WriteManifest(index);
  document.descriptor = Describe(document.content, index.media_type);
  return document;
}

}  // namespace

absl::StatusOr<ExportedImage> ImageExporter::Export(const CallContext& context, absl::Span<const ImageContent> platforms,
                                                    absl::Span<const Target> targets, const ExportOptions& options) {
  ExportedImage exported;
  std::vector<Document> manifests;
  for (const ImageContent& image : platforms) {
    manifests.push_back(MakeManifest(image, options));
    exported.layers += static_cast<int64_t>(image.layers.size());
    for (const snapshot::Layer& layer : image.layers) exported.compressed_bytes += layer.size_bytes;
  }
  const bool is_index = manifests.size() > 1;
  const Document top = is_index ? MakeIndex(manifests, options.format) : manifests.front();
  exported.digest = top.descriptor.digest;
  exported.media_type = top.descriptor.media_type;
  exported.size_bytes = top.descriptor.size_bytes;
  if (!is_index) exported.config_digest = Digest::Of(top.config);

  for (const Target& target : targets) {
    for (const Document& manifest : manifests) {
      StringSource config(manifest.config);
      STRATA_RETURN_IF_ERROR(Annotate(blobstore::UploadBlob(blobs_, context, target.repository, config,
                                                            Digest::Of(manifest.config), manifest.config.size()),
                                      "storing the image config"));
      blobstore::PutManifestOptions put;
      put.link_blobs = true;
      if (!is_index) put.tags = {target.tag};
      auto stored = refs_.PutManifest(context, target.repository, manifest.descriptor.media_type, manifest.content, put);
      if (!stored.ok()) return NotStored(stored.status(), "manifest", target.repository);
    }
    if (is_index) {
      blobstore::PutManifestOptions put;
      put.tags = {target.tag};
      auto stored = refs_.PutManifest(context, target.repository, top.descriptor.media_type, top.content, put);
      if (!stored.ok()) return NotStored(stored.status(), "index", target.repository);
    }
  }
  return exported;
}

}  // namespace strata::exporter
