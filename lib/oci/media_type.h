// Media types of image documents and layers. Spec: OCI image-spec media-types.md; Docker image manifest v2 schema 2.
#pragma once

#include "absl/strings/string_view.h"

namespace strata::oci {

inline constexpr char kOciManifest[] = "application/vnd.oci.image.manifest.v1+json";
inline constexpr char kOciIndex[] = "application/vnd.oci.image.index.v1+json";
inline constexpr char kOciConfig[] = "application/vnd.oci.image.config.v1+json";
inline constexpr char kOciLayerTar[] = "application/vnd.oci.image.layer.v1.tar";
inline constexpr char kOciLayerGzip[] = "application/vnd.oci.image.layer.v1.tar+gzip";
inline constexpr char kOciLayerZstd[] = "application/vnd.oci.image.layer.v1.tar+zstd";
inline constexpr char kDockerManifest[] = "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr char kDockerManifestList[] = "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr char kDockerConfig[] = "application/vnd.docker.container.image.v1+json";
inline constexpr char kDockerLayerGzip[] = "application/vnd.docker.image.rootfs.diff.tar.gzip";
inline constexpr char kDockerLayerTar[] = "application/vnd.docker.image.rootfs.diff.tar";
inline constexpr char kDockerLayerZstd[] = "application/vnd.docker.image.rootfs.diff.tar.zstd";

bool IsManifestType(absl::string_view media_type);  // an image manifest, not an index
bool IsIndexType(absl::string_view media_type);     // an index or a manifest list
// Layers that registries need not hold ("foreign", "nondistributable").
bool IsNondistributable(absl::string_view media_type);
// The same layer under the other family's name; unchanged when there is none.
absl::string_view ToDockerLayerType(absl::string_view media_type);
absl::string_view ToOciLayerType(absl::string_view media_type);

}  // namespace strata::oci
