// Manifests and indexes: reading what was pushed, writing what we build.
//
// A parsed manifest is a view for decisions; what is stored and served are always the raw bytes. Value types.
// Spec: OCI image-spec manifest.md, image-index.md, descriptor.md; Docker image manifest v2 schema 2.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/digest/digest.h"
#include "lib/oci/platform.h"

namespace strata::oci {

inline constexpr size_t kMaxManifestBytes = 4 * 1024 * 1024;

using Annotations = std::vector<std::pair<std::string, std::string>>;

struct Descriptor {
  std::string media_type;
  Digest digest;
  int64_t size_bytes = 0;
  std::vector<std::string> urls;
  Annotations annotations;
  std::string artifact_type;
  std::optional<Platform> platform;
};

struct Manifest {
  std::string media_type;     // of the document itself
  bool is_index = false;
  std::optional<Descriptor> config;
  std::vector<Descriptor> layers;
  std::vector<Descriptor> manifests;  // of an index
  std::optional<Descriptor> subject;
  std::string artifact_type;          // explicit one only
  Annotations annotations;

  // What the referrers API shows as artifactType: the explicit one, else the config's media type of an image, else "".
  std::string EffectiveArtifactType() const;
};

// Parses either kind. `media_type` is what the pusher declared ("" = take the body's word, or infer it).
// kInvalidArgument: over kMaxManifestBytes, not JSON, schemaVersion not 2, both `layers` and `manifests`, a bad descriptor, a body
// mediaType that differs from the declared one, or a schema 1 manifest.
absl::StatusOr<Manifest> ParseManifest(absl::string_view content, absl::string_view media_type = "");

// Canonical JSON of a manifest or index that we make.
std::string WriteManifest(const Manifest& manifest);

// The child of an index for `platform`: exact match, else the same os and architecture with a lower or no variant. Null: none.
const Descriptor* SelectPlatform(const Manifest& index, const Platform& platform);

// The chain ID of a stack of layers. Spec: config.md, "Layer ChainID". Empty stack: empty digest.
Digest ChainId(const std::vector<Digest>& diff_ids);

}  // namespace strata::oci
