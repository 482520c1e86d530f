#include "lib/oci/media_type.h"

#include "absl/strings/match.h"

namespace strata::oci {

bool IsManifestType(absl::string_view media_type) { return media_type == kOciManifest || media_type == kDockerManifest; }

bool IsIndexType(absl::string_view media_type) { return media_type == kOciIndex || media_type == kDockerManifestList; }

bool IsNondistributable(absl::string_view media_type) {
  return absl::StrContains(media_type, ".nondistributable.") || absl::StrContains(media_type, ".foreign.");
}

namespace {

// Not constexpr: under UBSan GCC takes a string_view of a named array for no constant (gcc bug 71962).
const struct {
  absl::string_view oci, docker;
} kLayerTypes[] = {
    {kOciLayerGzip, kDockerLayerGzip}, {kOciLayerTar, kDockerLayerTar}, {kOciLayerZstd, kDockerLayerZstd}};

}  // namespace

absl::string_view ToDockerLayerType(absl::string_view media_type) {
  for (const auto& pair : kLayerTypes) {
    if (pair.oci == media_type) return pair.docker;
  }
  return media_type;
}

absl::string_view ToOciLayerType(absl::string_view media_type) {
  for (const auto& pair : kLayerTypes) {
    if (pair.docker == media_type) return pair.oci;
  }
  return media_type;
}

}  // namespace strata::oci
