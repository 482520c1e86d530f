// Images and archives for the tests of this folder.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "lib/blobstore/memory_store.h"
#include "lib/bytes/byte_stream.h"
#include "lib/oci/image_config.h"
#include "lib/oci/manifest.h"
#include "lib/oci/media_type.h"
#include "lib/tar/writer.h"
#include "lib/testing/status_matchers.h"

namespace strata::images {

struct TarMember {
  std::string name;
  std::string content;
  std::string link;  // a symbolic link when not empty
};

inline std::string MakeTar(const std::vector<TarMember>& members) {
  std::string out;
  StringSink sink(&out);
  tar::Writer writer(sink);
  for (const TarMember& member : members) {
    tar::Entry entry;
    entry.name = member.name;
    entry.link_name = member.link;
    entry.type = member.link.empty() ? tar::EntryType::kFile : tar::EntryType::kSymlink;
    entry.size = member.link.empty() ? member.content.size() : 0;
    EXPECT_OK(writer.WriteHeader(entry));
    if (entry.size > 0) EXPECT_OK(writer.WriteContent(member.content));
  }
  EXPECT_OK(writer.Finish());
  return out;
}

inline oci::Descriptor Describe(const std::string& content, const std::string& media_type) {
  return {.media_type = media_type, .digest = Digest::Of(content), .size_bytes = static_cast<int64_t>(content.size())};
}

inline oci::Descriptor PutBlob(blobstore::MemoryStore& store, const std::string& repository, const std::string& content,
                               const std::string& media_type) {
  StringSource source(content);
  EXPECT_OK(blobstore::UploadBlob(store, CallContext(), repository, source, Digest::Of(content)));
  return Describe(content, media_type);
}

inline std::string ConfigOf(const std::vector<std::string>& layers, const std::string& platform = "linux/amd64") {
  oci::ImageConfig config;
  config.platform = *oci::Platform::Parse(platform);
  config.created = absl::FromUnixSeconds(1'700'000'000);
  config.cmd = {"/bin/app"};
  for (const std::string& layer : layers) config.diff_ids.push_back(Digest::Of(layer));
  return config.ToJson();
}

// An image with uncompressed layers of this content. Its tag may be empty.
inline oci::Descriptor PutImage(blobstore::MemoryStore& store, const std::string& repository, const std::string& tag,
                                const std::vector<std::string>& layers, const std::string& platform = "linux/amd64") {
  oci::Manifest manifest{.media_type = oci::kOciManifest};
  manifest.config = PutBlob(store, repository, ConfigOf(layers, platform), oci::kOciConfig);
  for (const std::string& layer : layers) manifest.layers.push_back(PutBlob(store, repository, layer, oci::kOciLayerTar));
  const std::string content = oci::WriteManifest(manifest);
  blobstore::PutManifestOptions options;
  if (!tag.empty()) options.tags = {tag};
  EXPECT_OK(store.PutManifest(CallContext(), repository, oci::kOciManifest, content, options));
  oci::Descriptor descriptor = Describe(content, oci::kOciManifest);
  descriptor.platform = *oci::Platform::Parse(platform);
  return descriptor;
}

inline Digest PutIndex(blobstore::MemoryStore& store, const std::string& repository, const std::string& tag,
                       const std::vector<oci::Descriptor>& children) {
  const oci::Manifest index{.media_type = oci::kOciIndex, .is_index = true, .manifests = children};
  const std::string content = oci::WriteManifest(index);
  EXPECT_OK(store.PutManifest(CallContext(), repository, oci::kOciIndex, content, {.tags = {tag}}));
  return Digest::Of(content);
}

}  // namespace strata::images
