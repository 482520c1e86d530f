#include "services/builder/images/archive_reader.h"

#include <map>
#include <utility>

#include "lib/base/status.h"
#include "services/builder/images/archive_contents.h"

namespace strata::images {

absl::StatusOr<std::vector<std::string>> ArchiveReader::Load(const CallContext& context, ByteSource& archive) {
  auto contents = ReadArchive(context, blobs_, layer_, archive);
  if (!contents.ok()) return Annotate(contents.status(), "reading the image archive");
  auto images = PlanImages(*contents);
  if (!images.ok()) return Annotate(images.status(), "reading the image archive");

  std::vector<std::string> loaded;
  for (const PlannedImage& image : *images) {
    const Digest& digest = image.manifests.back().digest;
    std::map<std::string, std::vector<std::string>> tags;  // by repository
    for (const oci::Reference& name : image.names) {
      const ImageName stored{catalog_.RepositoryOf(name), name.tag, digest};
      tags[stored.repository].push_back(stored.tag);
      loaded.push_back(stored.ToString());
    }
    if (tags.empty()) {
      tags[kNamelessRepository] = {};
      loaded.push_back(digest.ToString());
    }
    for (const auto& [repository, names] : tags) {
      STRATA_RETURN_IF_ERROR(StoreImage(context, *contents, image, repository, names));
    }
  }
  return loaded;
}

absl::Status ArchiveReader::StoreImage(const CallContext& context, const ArchiveContents& contents, const PlannedImage& image,
                                       const std::string& repository, const std::vector<std::string>& tags) {
  for (const PlannedManifest& manifest : image.manifests) {
    for (const Digest& config : manifest.configs) {
      const std::string& content = contents.documents.at(config);
      StringSource source(content);
      STRATA_RETURN_IF_ERROR(Annotate(blobstore::UploadBlob(blobs_, context, repository, source, config, content.size()),
                                      "storing the image config"));
    }
    blobstore::PutManifestOptions put;
    put.expected_digest = manifest.digest;
    put.link_blobs = true;
    if (&manifest == &image.manifests.back()) put.tags = tags;
    const auto stored = refs_.PutManifest(context, repository, manifest.media_type, contents.documents.at(manifest.digest), put);
    if (!stored.ok()) return Annotate(stored.status(), "storing the manifest of " + oci::DisplayName(repository));
  }
  return absl::OkStatus();
}

}  // namespace strata::images
