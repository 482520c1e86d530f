#include "lib/oci/manifest.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/json/json.h"
#include "lib/oci/media_type.h"

namespace strata::oci {

namespace {

constexpr int64_t kMaxSizeBytes = int64_t{1} << 50;
constexpr size_t kMaxDescriptors = 10000;

absl::StatusOr<Platform> ReadPlatform(const json::Value& value) {
  Platform platform;
  STRATA_ASSIGN_OR_RETURN(platform.os, json::StringField(value, "os"));
  STRATA_ASSIGN_OR_RETURN(platform.architecture, json::StringField(value, "architecture"));
  STRATA_ASSIGN_OR_RETURN(platform.variant, json::StringField(value, "variant"));
  STRATA_ASSIGN_OR_RETURN(platform.os_version, json::StringField(value, "os.version"));
  if (platform.architecture == "arm64" && platform.variant == "v8") platform.variant.clear();
  return platform;
}

absl::StatusOr<Descriptor> ReadDescriptor(const json::Value& value) {
  if (!value.is_object()) return absl::InvalidArgumentError("a descriptor must be an object");
  Descriptor descriptor;
  STRATA_ASSIGN_OR_RETURN(descriptor.media_type, json::StringField(value, "mediaType"));
  STRATA_ASSIGN_OR_RETURN(const std::string digest, json::StringField(value, "digest"));
  STRATA_ASSIGN_OR_RETURN(descriptor.digest, Digest::Parse(digest));
  STRATA_ASSIGN_OR_RETURN(descriptor.size_bytes, json::IntField(value, "size", -1));
  if (descriptor.size_bytes < 0 || descriptor.size_bytes > kMaxSizeBytes) {
    return absl::InvalidArgumentError(absl::StrCat("descriptor of ", digest, " has no valid size"));
  }
  STRATA_ASSIGN_OR_RETURN(descriptor.urls, json::StringListField(value, "urls"));
  STRATA_ASSIGN_OR_RETURN(descriptor.annotations, json::StringMapField(value, "annotations"));
  STRATA_ASSIGN_OR_RETURN(descriptor.artifact_type, json::StringField(value, "artifactType"));
  if (const json::Value* platform = json::Find(value, "platform")) {
    STRATA_ASSIGN_OR_RETURN(descriptor.platform, ReadPlatform(*platform));
  }
  return descriptor;
}

absl::StatusOr<std::vector<Descriptor>> ReadDescriptors(const json::Value& document, absl::string_view key) {
  std::vector<Descriptor> descriptors;
  const json::Value* list = json::Find(document, key);
  if (list == nullptr) return descriptors;
  if (!list->is_array()) return absl::InvalidArgumentError(absl::StrCat("\"", key, "\" must be a list of descriptors"));
  if (list->size() > kMaxDescriptors) {
    return absl::InvalidArgumentError(absl::StrCat("\"", key, "\" has more than ", kMaxDescriptors, " descriptors"));
  }
  for (const json::Value& item : *list) {
    auto descriptor = ReadDescriptor(item);
    if (!descriptor.ok()) return Annotate(descriptor.status(), absl::StrCat(key, "[", descriptors.size(), "]"));
    descriptors.push_back(*std::move(descriptor));
  }
  return descriptors;
}

json::Value WriteAnnotations(const Annotations& annotations) {
  json::Value value = json::Value::object();
  for (const auto& [key, text] : annotations) value[key] = text;
  return value;
}

json::Value WriteDescriptor(const Descriptor& descriptor) {
  json::Value value = {{"mediaType", descriptor.media_type},
                       {"digest", descriptor.digest.ToString()},
                       {"size", descriptor.size_bytes}};
  if (!descriptor.urls.empty()) value["urls"] = descriptor.urls;
  if (!descriptor.annotations.empty()) value["annotations"] = WriteAnnotations(descriptor.annotations);
  if (!descriptor.artifact_type.empty()) value["artifactType"] = descriptor.artifact_type;
  if (descriptor.platform) {
    json::Value platform = {{"architecture", descriptor.platform->architecture}, {"os", descriptor.platform->os}};
    if (!descriptor.platform->variant.empty()) platform["variant"] = descriptor.platform->variant;
    value["platform"] = std::move(platform);
  }
  return value;
}

}  // namespace

std::string Manifest::EffectiveArtifactType() const {
  if (!artifact_type.empty() || is_index) return artifact_type;
  return config ? config->media_type : "";
}

absl::StatusOr<Manifest> ParseManifest(absl::string_view content, absl::string_view media_type) {
  STRATA_ASSIGN_OR_RETURN(const json::Value document, json::Parse(content, {.max_bytes = kMaxManifestBytes}));
  if (!document.is_object()) return absl::InvalidArgumentError("a manifest must be a JSON object");
  STRATA_ASSIGN_OR_RETURN(const int64_t version, json::IntField(document, "schemaVersion"));
  if (version != 2) {
    return absl::InvalidArgumentError(absl::StrCat("manifest schemaVersion is ", version, "; only version 2 is supported"));
  }
  const bool has_manifests = document.contains("manifests");
  if (has_manifests && (document.contains("layers") || document.contains("config"))) {
    return absl::InvalidArgumentError("a manifest must not have both \"manifests\" and \"layers\" or \"config\"");
  }
  if (document.contains("fsLayers")) return absl::InvalidArgumentError("schema 1 manifests are not supported");

  Manifest manifest;
  STRATA_ASSIGN_OR_RETURN(const std::string body_type, json::StringField(document, "mediaType"));
  if (!body_type.empty() && !media_type.empty() && body_type != media_type) {
    return absl::InvalidArgumentError(
        absl::StrCat("the manifest says mediaType \"", body_type, "\", but was sent as \"", media_type, "\""));
  }
  manifest.media_type = !media_type.empty() ? std::string(media_type) : body_type;
  if (manifest.media_type.empty()) manifest.media_type = has_manifests ? kOciIndex : kOciManifest;
  manifest.is_index = IsIndexType(manifest.media_type) || (has_manifests && !IsManifestType(manifest.media_type));
  if (manifest.is_index != has_manifests) {
    return absl::InvalidArgumentError(absl::StrCat("the body does not fit its media type \"", manifest.media_type, "\""));
  }
  if (const json::Value* config = json::Find(document, "config")) {
    auto descriptor = ReadDescriptor(*config);
    if (!descriptor.ok()) return Annotate(descriptor.status(), "config");
    manifest.config = *std::move(descriptor);
  }
  if (const json::Value* subject = json::Find(document, "subject")) {
    auto descriptor = ReadDescriptor(*subject);
    if (!descriptor.ok()) return Annotate(descriptor.status(), "subject");
    manifest.subject = *std::move(descriptor);
  }
  STRATA_ASSIGN_OR_RETURN(manifest.layers, ReadDescriptors(document, "layers"));
  STRATA_ASSIGN_OR_RETURN(manifest.manifests, ReadDescriptors(document, "manifests"));
  STRATA_ASSIGN_OR_RETURN(manifest.artifact_type, json::StringField(document, "artifactType"));
  STRATA_ASSIGN_OR_RETURN(manifest.annotations, json::StringMapField(document, "annotations"));
  return manifest;
}

std::string WriteManifest(const Manifest& manifest) {
  json::Value document = {{"schemaVersion", 2}, {"mediaType", manifest.media_type}};
  if (!manifest.artifact_type.empty()) document["artifactType"] = manifest.artifact_type;
  const auto write_list = [&document](const char* key, const std::vector<Descriptor>& descriptors) {
    document[key] = json::Value::array();
    for (const Descriptor& descriptor : descriptors) document[key].push_back(WriteDescriptor(descriptor));
  };
  if (manifest.config) document["config"] = WriteDescriptor(*manifest.config);
  if (manifest.is_index) {
    write_list("manifests", manifest.manifests);
  } else {
    write_list("layers", manifest.layers);
  }
  if (manifest.subject) document["subject"] = WriteDescriptor(*manifest.subject);
  if (!manifest.annotations.empty()) document["annotations"] = WriteAnnotations(manifest.annotations);
  return json::Dump(document);
}

const Descriptor* SelectPlatform(const Manifest& index, const Platform& platform) {
  const Descriptor* fallback = nullptr;
  for (const Descriptor& child : index.manifests) {
    if (!child.platform) continue;
    if (child.platform->Matches(platform)) return &child;
    const bool same_family = child.platform->os == platform.os && child.platform->architecture == platform.architecture;
    if (same_family && child.platform->variant <= platform.variant &&
        (fallback == nullptr || child.platform->variant > fallback->platform->variant)) {
      fallback = &child;
    }
  }
  return fallback;
}

Digest ChainId(const std::vector<Digest>& diff_ids) {
  if (diff_ids.empty()) return Digest();
  Digest chain = diff_ids.front();
  for (size_t i = 1; i < diff_ids.size(); ++i) {
    chain = Digest::Of(absl::StrCat(chain.ToString(), " ", diff_ids[i].ToString()));
  }
  return chain;
}

}  // namespace strata::oci
