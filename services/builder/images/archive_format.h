// What image archives call things. One tar can be both kinds at once:
//
//   docker-archive   manifest.json: [{Config, RepoTags, Layers}], paths into the tar; repositories (older readers)
//   OCI layout       oci-layout, index.json, blobs/<algorithm>/<hex>
//
// Spec: OCI image-spec image-layout.md; Docker image spec v1.2, "Combined Image JSON + Filesystem Changeset Format".
#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "lib/digest/digest.h"
#include "lib/oci/reference.h"

namespace strata::images {

inline constexpr char kDockerManifestFile[] = "manifest.json";
inline constexpr char kRepositoriesFile[] = "repositories";
inline constexpr char kOciLayoutFile[] = "oci-layout";
inline constexpr char kOciLayoutContent[] = R"({"imageLayoutVersion":"1.0.0"})";
inline constexpr char kOciIndexFile[] = "index.json";

inline constexpr char kRefNameAnnotation[] = "org.opencontainers.image.ref.name";
inline constexpr char kContainerdNameAnnotation[] = "io.containerd.image.name";

// "blobs/sha256/<hex>"
std::string BlobPath(const Digest& digest);
// The inverse; nullopt for any other path.
std::optional<Digest> ParseBlobPath(absl::string_view path);

// `path` without "." and ".." and slashes at its ends; relative to `folder` unless it is absolute. ".." never leaves the root.
std::string CleanPath(absl::string_view folder, absl::string_view path);

// Docker's names without host mean Docker Hub, where one-word names live under "library/". The full form: "docker.io/library/app:1".
std::string FullDockerName(const oci::Reference& reference);
// People write "app" for what tools spell "docker.io/library/app".
oci::Reference WithoutDockerLibrary(oci::Reference reference);

}  // namespace strata::images
