#include "services/builder/images/archive_writer.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/json/json.h"
#include "lib/oci/manifest.h"
#include "lib/oci/media_type.h"
#include "lib/tar/writer.h"
#include "services/builder/images/archive_format.h"

namespace strata::images {

namespace {

// A manifest of one platform, as the docker-archive half needs it.
struct PlatformManifest {
  oci::Platform platform;
  oci::Manifest manifest;
  bool has_all_layers = true;
};

bool IsImage(const PlatformManifest& candidate) {
  const auto& config = candidate.manifest.config;
  return config && (config->media_type == oci::kOciConfig || config->media_type == oci::kDockerConfig) &&
         candidate.platform.os != "unknown" && candidate.has_all_layers;
}

// Null: none of them is an image.
const PlatformManifest* SelectForDocker(const std::vector<PlatformManifest>& manifests) {
  const oci::Platform host = oci::Platform::Host();
  const PlatformManifest* first = nullptr;
  for (const PlatformManifest& candidate : manifests) {
    if (!IsImage(candidate)) continue;
    if (candidate.platform.os == host.os && candidate.platform.architecture == host.architecture) return &candidate;
    if (first == nullptr) first = &candidate;
  }
  return first;
}

absl::Status WriteDocument(tar::Writer& tar, std::string name, absl::string_view content) {
  tar::Entry entry;
  entry.name = std::move(name);
  entry.size = content.size();
  StringSource source(content);
  return tar.WriteEntry(entry, source);
}

absl::Status WriteFolder(tar::Writer& tar, std::string name) {
  tar::Entry entry;
  entry.name = std::move(name);
  entry.type = tar::EntryType::kDirectory;
  entry.mode = 0755;
  return tar.WriteHeader(entry);
}

}  // namespace

// One Write call: gathers everything that is small, then streams.
class ArchiveWriter::Archive {
 public:
  Archive(ArchiveWriter& writer, const CallContext& context) : writer_(writer), context_(context) {}

  absl::Status Add(absl::string_view text) {
    STRATA_ASSIGN_OR_RETURN(const FoundImage found, writer_.catalog_.Find(context_, text));
    std::vector<PlatformManifest> manifests;
    visited_.clear();
    STRATA_ASSIGN_OR_RETURN(oci::Descriptor top, AddManifest(found.name.repository, found.name.digest, oci::Platform(), manifests));
    const std::string name = found.by == NamedBy::kTag ? found.name.ToString() : "";
    if (!seen_.insert(absl::StrCat(name, " ", top.digest.ToString())).second) return absl::OkStatus();
    if (!name.empty()) {
      STRATA_ASSIGN_OR_RETURN(const oci::Reference reference, oci::Reference::Parse(name));
      top.annotations = {{kContainerdNameAnnotation, FullDockerName(reference)}, {kRefNameAnnotation, name}};
    }
    index_.manifests.push_back(std::move(top));
    if (const PlatformManifest* image = SelectForDocker(manifests)) AddDockerImage(*image, found.name, name);
    return absl::OkStatus();
  }

  absl::Status WriteTo(ByteSink& out) {
    tar::Writer tar(out);
    STRATA_RETURN_IF_ERROR(WriteDocument(tar, kOciLayoutFile, kOciLayoutContent));
    STRATA_RETURN_IF_ERROR(WriteDocument(tar, kOciIndexFile, oci::WriteManifest(index_)));
    STRATA_RETURN_IF_ERROR(WriteDocument(tar, kDockerManifestFile, json::Dump(docker_images_)));
    if (!repositories_.empty()) STRATA_RETURN_IF_ERROR(WriteDocument(tar, kRepositoriesFile, json::Dump(repositories_)));
    STRATA_RETURN_IF_ERROR(WriteFolder(tar, "blobs"));
    std::set<absl::string_view> folders;
    for (const Content& content : contents_) {
      const absl::string_view algorithm = AlgorithmName(content.digest.algorithm());
      if (folders.insert(algorithm).second) STRATA_RETURN_IF_ERROR(WriteFolder(tar, absl::StrCat("blobs/", algorithm)));
      STRATA_RETURN_IF_ERROR(WriteContent(tar, content));
    }
    return tar.Finish();
  }

 private:
  struct Content {
    Digest digest;
    std::string repository;
    std::string document;  // empty: a blob of the store
  };

  // Depth first; what an index names comes before it.
  absl::StatusOr<oci::Descriptor> AddManifest(const std::string& repository, const Digest& digest, const oci::Platform& platform,
                                              std::vector<PlatformManifest>& manifests) {
    STRATA_ASSIGN_OR_RETURN(auto stored, writer_.refs_.GetManifest(context_, repository, {.digest = digest}));
    STRATA_ASSIGN_OR_RETURN(oci::Manifest manifest, oci::ParseManifest(stored.content, stored.media_type));
    oci::Descriptor descriptor;
    descriptor.media_type = manifest.media_type;
    descriptor.digest = digest;
    descriptor.size_bytes = static_cast<int64_t>(stored.content.size());
    for (const oci::Descriptor& child : manifest.manifests) {
      if (!visited_.insert(child.digest).second) continue;
      const auto added = AddManifest(repository, child.digest, child.platform.value_or(oci::Platform()), manifests);
      // A child that the store was allowed not to hold.
      if (!added.ok() && !(absl::IsNotFound(added.status()) && !child.urls.empty())) return added.status();
    }
    if (!manifest.is_index) {
      PlatformManifest leaf{platform, manifest};
      STRATA_RETURN_IF_ERROR(AddBlobs(repository, manifest, leaf.has_all_layers));
      manifests.push_back(std::move(leaf));
    }
    AddContent({digest, repository, std::move(stored.content)});
    return descriptor;
  }

  absl::Status AddBlobs(const std::string& repository, const oci::Manifest& manifest, bool& has_all_layers) {
    if (manifest.config) AddContent({manifest.config->digest, repository, ""});
    for (const oci::Descriptor& layer : manifest.layers) {
      if (oci::IsNondistributable(layer.media_type) || !layer.urls.empty()) {
        const std::vector<Digest> digests = {layer.digest};
        STRATA_ASSIGN_OR_RETURN(const auto held, writer_.blobs_.StatBlobs(context_, repository, digests));
        has_all_layers = has_all_layers && held[0].has_value();
        if (!held[0]) continue;
      }
      AddContent({layer.digest, repository, ""});
    }
    return absl::OkStatus();
  }

  void AddContent(Content content) {
    if (digests_.insert(content.digest).second) contents_.push_back(std::move(content));
  }

  void AddDockerImage(const PlatformManifest& image, const ImageName& stored, const std::string& name) {
    const std::string config = BlobPath(image.manifest.config->digest);
    auto entry = std::find_if(docker_images_.begin(), docker_images_.end(),
                              [&](const json::Value& other) { return other["Config"] == config; });
    if (entry == docker_images_.end()) {
      json::Value layers = json::Value::array();
      for (const oci::Descriptor& layer : image.manifest.layers) layers.push_back(BlobPath(layer.digest));
      docker_images_.push_back({{"Config", config}, {"RepoTags", nullptr}, {"Layers", std::move(layers)}});
      entry = docker_images_.end() - 1;
    }
    if (name.empty()) return;
    json::Value& tags = (*entry)["RepoTags"];
    if (tags.is_null()) tags = json::Value::array();
    tags.push_back(name);
    repositories_[oci::DisplayName(stored.repository)][stored.tag] = std::string(image.manifest.config->digest.hex());
  }

  absl::Status WriteContent(tar::Writer& tar, const Content& content) {
    if (!content.document.empty()) return WriteDocument(tar, BlobPath(content.digest), content.document);
    const auto reader = writer_.blobs_.OpenBlob(context_, content.repository, content.digest);
    if (!reader.ok()) return Annotate(reader.status(), absl::StrCat("saving an image of ", oci::DisplayName(content.repository)));
    tar::Entry entry;
    entry.name = BlobPath(content.digest);
    entry.size = (*reader)->size_bytes();
    return tar.WriteEntry(entry, **reader);
  }

  ArchiveWriter& writer_;
  const CallContext& context_;
  oci::Manifest index_{.media_type = oci::kOciIndex, .is_index = true};
  json::Value docker_images_ = json::Value::array();
  json::Value repositories_ = json::Value::object();
  std::vector<Content> contents_;
  std::set<Digest> digests_;      // of contents_
  std::set<Digest> visited_;      // children of the image being added
  std::set<std::string> seen_;    // "name digest" of what was added
};

absl::Status ArchiveWriter::Write(const CallContext& context, absl::Span<const std::string> references, ByteSink& out) {
  if (references.empty()) return absl::InvalidArgumentError("no image to save; write: strata save NAME[:TAG]...");
  Archive archive(*this, context);
  for (const std::string& reference : references) STRATA_RETURN_IF_ERROR(archive.Add(reference));
  return archive.WriteTo(out);
}

}  // namespace strata::images
