#include "services/builder/images/archive_plan.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/base/status.h"
#include "lib/json/json.h"
#include "lib/oci/image_config.h"
#include "lib/oci/manifest.h"
#include "lib/oci/media_type.h"
#include "services/builder/images/archive_format.h"

namespace strata::images {

namespace {

constexpr int kMaxIndexDepth = 4;
constexpr size_t kMaxImages = 1000;
constexpr size_t kMaxTags = 10'000;
constexpr size_t kMaxManifests = 20'000;  // of all images together

// One line of manifest.json.
struct DockerImage {
  std::string config_path;
  Digest config;
  std::vector<std::string> layers;
  std::vector<std::string> tags;
  bool is_in_layout = false;
};

// What one line of index.json calls an image.
struct LayoutName {
  oci::Reference name;
  std::string ref_name;  // the annotation as it is
};

// The lines of index.json that name one manifest, with everything below it.
struct LayoutImage {
  Digest top;
  PlannedImage image;
  std::set<Digest> configs;
  std::vector<LayoutName> called;
};

std::optional<oci::Reference> ParseName(absl::string_view text) {
  const auto reference = oci::Reference::Parse(text);
  if (!reference.ok() || reference->digest) return std::nullopt;
  return *reference;
}

// Nothing when the annotations do not say a name in full.
std::optional<LayoutName> NameOf(const oci::Descriptor& descriptor) {
  std::string ref_name;
  std::string containerd_name;
  for (const auto& [key, value] : descriptor.annotations) {
    if (key == kRefNameAnnotation) ref_name = value;
    if (key == kContainerdNameAnnotation) containerd_name = value;
  }
  const auto full = ParseName(ref_name);
  if (full && !full->tag.empty()) return LayoutName{*full, ref_name};
  if (auto name = ParseName(containerd_name)) {
    // Always the long form: its host says nothing when it is Docker Hub.
    if (name->host == "docker.io") {
      name->host.clear();
      name->path = std::string(absl::StripPrefix(name->path, "library/"));
    }
    return LayoutName{*name, ref_name};
  }
  if (full) return LayoutName{*full, ref_name};
  return std::nullopt;
}

absl::Status Missing(absl::string_view what, absl::string_view named_by) {
  return absl::InvalidArgumentError(absl::StrCat("the archive is not complete: it lacks ", what, ", which ", named_by, " names"));
}

absl::StatusOr<std::vector<DockerImage>> ReadDockerManifest(const ArchiveContents& contents) {
  std::vector<DockerImage> images;
  const std::string* text = contents.FindDocument(kDockerManifestFile);
  if (text == nullptr) return images;
  STRATA_ASSIGN_OR_RETURN(const json::Value list, json::Parse(*text, {.max_bytes = kMaxDocumentBytes}));
  if (!list.is_array()) return absl::InvalidArgumentError("manifest.json is not a list of images");
  if (list.size() > kMaxImages) return absl::InvalidArgumentError(absl::StrCat("manifest.json lists more than ", kMaxImages, " images"));
  size_t tags = 0;
  for (const json::Value& item : list) {
    DockerImage image;
    STRATA_ASSIGN_OR_RETURN(image.config_path, json::StringField(item, "Config"));
    STRATA_ASSIGN_OR_RETURN(image.layers, json::StringListField(item, "Layers"));
    STRATA_ASSIGN_OR_RETURN(image.tags, json::StringListField(item, "RepoTags"));
    const std::string* config = contents.FindDocument(image.config_path);
    if (config == nullptr) return Missing(absl::StrCat("\"", image.config_path.substr(0, 200), "\""), kDockerManifestFile);
    image.config = Digest::Of(*config);
    tags += image.tags.size();
    if (tags > kMaxTags) return absl::InvalidArgumentError("manifest.json gives too many names");
    images.push_back(std::move(image));
  }
  return images;
}

// Collects the manifests below one line of index.json.
class LayoutReader {
 public:
  explicit LayoutReader(const ArchiveContents& contents) : contents_(contents) {}

  absl::StatusOr<LayoutImage> Read(const oci::Descriptor& top) {
    LayoutImage result;
    result.top = top.digest;
    visited_.clear();
    STRATA_RETURN_IF_ERROR(Add(top, 0, result));
    return result;
  }

 private:
  absl::Status Add(const oci::Descriptor& descriptor, int depth, LayoutImage& result) {
    if (depth > kMaxIndexDepth) return absl::InvalidArgumentError("indexes nest too deep");
    const auto document = contents_.documents.find(descriptor.digest);
    if (document == contents_.documents.end()) return Missing(BlobPath(descriptor.digest), "its index");
    auto manifest = oci::ParseManifest(document->second, descriptor.media_type);
    if (!manifest.ok()) return Annotate(manifest.status(), BlobPath(descriptor.digest));
    if (++planned_ > kMaxManifests) return absl::InvalidArgumentError(absl::StrCat("the archive names more than ", kMaxManifests, " manifests"));
    PlannedManifest planned{descriptor.digest, manifest->media_type, {}};
    if (manifest->is_index) {
      bool is_complete = true;
      STRATA_RETURN_IF_ERROR(AddChildren(*manifest, depth, is_complete, result));
      if (!is_complete) return absl::OkStatus();
    } else {
      STRATA_RETURN_IF_ERROR(CheckBlobs(*manifest, planned));
      if (manifest->config) result.configs.insert(manifest->config->digest);
    }
    result.image.manifests.push_back(std::move(planned));
    return absl::OkStatus();
  }

  absl::Status AddChildren(const oci::Manifest& index, int depth, bool& is_complete, LayoutImage& result) {
    std::vector<const oci::Descriptor*> present;
    absl::Status missing;
    for (const oci::Descriptor& child : index.manifests) {
      if (!visited_.insert(child.digest).second) continue;
      LayoutImage part;
      const absl::Status added = Add(child, depth + 1, part);
      if (!added.ok()) {
        if (child.urls.empty() && missing.ok()) missing = added;
        continue;
      }
      present.push_back(&child);
      std::move(part.image.manifests.begin(), part.image.manifests.end(), std::back_inserter(result.image.manifests));
      result.configs.merge(part.configs);
    }
    if (missing.ok()) return absl::OkStatus();
    is_complete = false;
    return present.empty() || depth > 0 ? missing : KeepOne(index, present, result);
  }

  // The index itself cannot be stored without its children: one of those that are there stands for it.
  absl::Status KeepOne(const oci::Manifest& index, const std::vector<const oci::Descriptor*>& present, LayoutImage& result) {
    oci::Manifest there;
    for (const oci::Descriptor* child : present) there.manifests.push_back(*child);
    const oci::Descriptor* chosen = oci::SelectPlatform(there, oci::Platform::Host());
    if (chosen == nullptr) chosen = present.front();
    LayoutImage one;
    visited_.clear();
    STRATA_RETURN_IF_ERROR(Add(*chosen, 1, one));
    result.image.manifests = std::move(one.image.manifests);
    result.configs = std::move(one.configs);
    return absl::OkStatus();
  }

  absl::Status CheckBlobs(const oci::Manifest& manifest, PlannedManifest& planned) {
    std::vector<oci::Descriptor> blobs = manifest.layers;
    if (manifest.config) blobs.push_back(*manifest.config);
    for (const oci::Descriptor& blob : blobs) {
      if (contents_.documents.contains(blob.digest)) {
        planned.configs.push_back(blob.digest);
      } else if (!contents_.blobs.contains(blob.digest) && !oci::IsNondistributable(blob.media_type) && blob.urls.empty()) {
        return Missing(BlobPath(blob.digest), absl::StrCat("manifest ", planned.digest.ToString()));
      }
    }
    return absl::OkStatus();
  }

  const ArchiveContents& contents_;
  std::set<Digest> visited_;
  size_t planned_ = 0;
};

absl::StatusOr<std::vector<LayoutImage>> ReadLayout(const ArchiveContents& contents) {
  std::vector<LayoutImage> images;
  const std::string* text = contents.FindDocument(kOciIndexFile);
  if (text == nullptr) return images;
  auto index = oci::ParseManifest(*text);
  if (!index.ok() || !index->is_index) return Annotate(index.ok() ? absl::InvalidArgumentError("not an index") : index.status(), kOciIndexFile);
  if (index->manifests.size() > kMaxImages) return absl::InvalidArgumentError(absl::StrCat("index.json names more than ", kMaxImages, " images"));
  LayoutReader reader(contents);
  for (const oci::Descriptor& top : index->manifests) {
    auto known = std::find_if(images.begin(), images.end(), [&](const LayoutImage& image) { return image.top == top.digest; });
    if (known == images.end()) {
      STRATA_ASSIGN_OR_RETURN(LayoutImage image, reader.Read(top));
      known = images.insert(images.end(), std::move(image));
    }
    if (auto name = NameOf(top)) known->called.push_back(*std::move(name));
  }
  return images;
}

// A layer as manifest.json names it, checked against the diff ID that the config gives it.
absl::StatusOr<oci::Descriptor> FindLayer(const ArchiveContents& contents, const std::string& path, const Digest& diff_id) {
  const std::string resolved = contents.Resolve(path);
  const std::string quoted = absl::StrCat("layer \"", path.substr(0, 200), "\"");
  oci::Descriptor descriptor;
  Digest actual = diff_id;  // of a compressed blob it is not known until it is unpacked
  if (const auto layer = contents.layers.find(resolved); layer != contents.layers.end()) {
    descriptor.digest = layer->second.blob;
    descriptor.size_bytes = layer->second.size_bytes;
    descriptor.media_type = layer->second.media_type;
    actual = layer->second.diff_id;
  } else {
    const std::optional<Digest> digest = ParseBlobPath(resolved);
    const auto blob = digest ? contents.blobs.find(*digest) : contents.blobs.end();
    if (blob == contents.blobs.end()) return Missing(quoted, kDockerManifestFile);
    descriptor.digest = *digest;
    descriptor.size_bytes = blob->second.size_bytes;
    switch (blob->second.format) {
      case compress::Format::kPlain:
        descriptor.media_type = oci::kOciLayerTar;
        actual = *digest;
        break;
      case compress::Format::kGzip:
        descriptor.media_type = oci::kOciLayerGzip;
        break;
      case compress::Format::kZstd:
        descriptor.media_type = oci::kOciLayerZstd;
        break;
      default:
        return absl::InvalidArgumentError(absl::StrCat(quoted, " is compressed with ", compress::FormatName(blob->second.format),
                                                       "; images have gzip or zstd layers"));
    }
  }
  if (actual != diff_id) {
    return absl::InvalidArgumentError(absl::StrCat(quoted, " has diff ID ", actual.ToString(), ", but the image config wants ",
                                                   diff_id.ToString()));
  }
  return descriptor;
}

// The manifest that a docker-archive does not have.
absl::StatusOr<PlannedManifest> MakeManifest(ArchiveContents& contents, const DockerImage& image) {
  const std::string content = *contents.FindDocument(image.config_path);
  auto config = oci::ImageConfig::Parse(content);
  if (!config.ok()) return Annotate(config.status(), absl::StrCat("\"", image.config_path.substr(0, 200), "\""));
  if (config->diff_ids.size() != image.layers.size()) {
    return absl::InvalidArgumentError(absl::StrCat("manifest.json gives image ", image.config.ToString(), " ", image.layers.size(),
                                                   " layers, its config ", config->diff_ids.size()));
  }
  oci::Manifest manifest;
  manifest.media_type = oci::kOciManifest;
  manifest.config = oci::Descriptor{.media_type = oci::kOciConfig, .digest = image.config, .size_bytes = static_cast<int64_t>(content.size())};
  for (size_t i = 0; i < image.layers.size(); ++i) {
    STRATA_ASSIGN_OR_RETURN(oci::Descriptor layer, FindLayer(contents, image.layers[i], config->diff_ids[i]));
    manifest.layers.push_back(std::move(layer));
  }
  std::string document = oci::WriteManifest(manifest);
  PlannedManifest planned{Digest::Of(document), manifest.media_type, {image.config}};
  contents.documents[planned.digest] = std::move(document);
  contents.documents[image.config] = content;
  return planned;
}

void AddName(oci::Reference name, PlannedImage& image) {
  name.tag = name.TagOrLatest();
  const bool is_new = std::none_of(image.names.begin(), image.names.end(),
                                   [&](const oci::Reference& other) { return other.ToString() == name.ToString(); });
  if (is_new) image.names.push_back(std::move(name));
}

// The line of index.json that means the same name, however it is spelled.
const LayoutName* FindCalled(const LayoutImage& image, const oci::Reference& name) {
  for (const LayoutName& called : image.called) {
    if (FullDockerName(called.name) == FullDockerName(name)) return &called;
  }
  return nullptr;
}

// Gives each tag of manifest.json to the image that has its config; where several have it, to the one that index.json calls so.
absl::Status AssignTags(std::vector<DockerImage>& docker, std::vector<LayoutImage>& layout) {
  for (DockerImage& image : docker) {
    std::vector<LayoutImage*> owners;
    for (LayoutImage& candidate : layout) {
      if (candidate.configs.contains(image.config)) owners.push_back(&candidate);
    }
    image.is_in_layout = !owners.empty();
    if (owners.empty()) continue;
    for (const std::string& tag : image.tags) {
      auto name = oci::Reference::Parse(tag);
      if (!name.ok()) return Annotate(name.status(), "RepoTags of manifest.json");
      LayoutImage* owner = owners.front();
      bool is_exact = false;
      for (LayoutImage* candidate : owners) {
        const LayoutName* called = FindCalled(*candidate, *name);
        if (called == nullptr) continue;
        owner = candidate;
        is_exact = called->ref_name == tag;
        break;
      }
      // Spelled alike in both halves, it is what people wrote.
      AddName(is_exact ? *name : WithoutDockerLibrary(*name), owner->image);
    }
  }
  for (LayoutImage& image : layout) {
    const bool is_tagged = std::any_of(docker.begin(), docker.end(), [&](const DockerImage& other) {
      return !other.tags.empty() && image.configs.contains(other.config);
    });
    if (is_tagged) continue;
    for (const LayoutName& called : image.called) AddName(WithoutDockerLibrary(called.name), image.image);
  }
  return absl::OkStatus();
}

// The same image under several lines of index.json becomes one with all names.
void Merge(PlannedImage image, std::vector<PlannedImage>& images) {
  for (PlannedImage& known : images) {
    if (known.manifests.back().digest != image.manifests.back().digest) continue;
    for (oci::Reference& name : image.names) AddName(std::move(name), known);
    return;
  }
  images.push_back(std::move(image));
}

}  // namespace

absl::StatusOr<std::vector<PlannedImage>> PlanImages(ArchiveContents& contents) {
  if (contents.FindDocument(kDockerManifestFile) == nullptr && contents.FindDocument(kOciIndexFile) == nullptr) {
    return absl::InvalidArgumentError("this is no image archive: it has neither manifest.json (docker save) nor index.json (OCI layout); "
                                      "to make an image of a root file system use: strata import");
  }
  STRATA_ASSIGN_OR_RETURN(std::vector<DockerImage> docker, ReadDockerManifest(contents));
  STRATA_ASSIGN_OR_RETURN(std::vector<LayoutImage> layout, ReadLayout(contents));
  STRATA_RETURN_IF_ERROR(AssignTags(docker, layout));
  std::vector<PlannedImage> images;
  for (LayoutImage& image : layout) Merge(std::move(image.image), images);
  for (const DockerImage& image : docker) {
    if (image.is_in_layout) continue;
    PlannedImage planned;
    STRATA_ASSIGN_OR_RETURN(PlannedManifest manifest, MakeManifest(contents, image));
    planned.manifests.push_back(std::move(manifest));
    for (const std::string& tag : image.tags) {
      auto name = oci::Reference::Parse(tag);
      if (!name.ok()) return Annotate(name.status(), "RepoTags of manifest.json");
      AddName(WithoutDockerLibrary(*std::move(name)), planned);
    }
    Merge(std::move(planned), images);
  }
  if (images.empty()) return absl::InvalidArgumentError("the archive holds no image");
  return images;
}

}  // namespace strata::images
