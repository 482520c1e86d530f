// GET, HEAD, PUT and DELETE /v2/<name>/manifests/<reference>. Spec: OCI distribution-spec, "Pulling manifests", "Pushing Manifests".
//
// Manifests are served byte for byte as they were pushed, with the media type they were pushed with, whatever Accept says: we never
// convert, and "*/*" or an old client is better served by the manifest than by a 404.
#pragma once

#include "absl/status/status.h"
#include "services/registry/routes/exchange.h"

namespace strata::registry {

inline constexpr size_t kMaxManifestBytes = 4 * 1024 * 1024;
// How many ?tag= parameters one PUT may have.
inline constexpr size_t kMaxTagsPerPut = 64;

absl::Status GetManifest(const Exchange& exchange);  // GET and HEAD
absl::Status PutManifest(const Exchange& exchange);
absl::Status DeleteManifest(const Exchange& exchange);

}  // namespace strata::registry
