// Which endpoint a request path names. Spec: OCI distribution-spec, "Endpoints".
//
// Repository names may contain "blobs", "uploads" and the like as components, so paths are read from their end.
#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace strata::registry {

enum class Endpoint {
  kBase,         // /v2/
  kCatalog,      // /v2/_catalog
  kExtensions,   // /v2/_oci/ext/discover
  kBlob,         // /v2/<name>/blobs/<digest>
  kUploads,      // /v2/<name>/blobs/uploads/      (also without the last slash, which some proxies drop)
  kUpload,       // /v2/<name>/blobs/uploads/<id>
  kManifest,     // /v2/<name>/manifests/<reference>
  kTags,         // /v2/<name>/tags/list
  kReferrers,    // /v2/<name>/referrers/<digest>
  kLegacyPing,   // /v1/_ping
  kLegacySearch,  // /v1/search
  kToken         // /token
};

inline constexpr size_t kEndpoints = static_cast<size_t>(Endpoint::kToken) + 1;
// "blob": for metrics and logs.
absl::string_view EndpointName(Endpoint endpoint);

struct Route {
  Endpoint endpoint = Endpoint::kBase;
  std::string repository;  // as sent, not validated; empty where the endpoint has none
  std::string last;        // the digest, reference or upload id; empty where the endpoint has none
};

// `path` is percent-decoded. nullopt: no endpoint has this form.
std::optional<Route> ParsePath(absl::string_view path);

// Locations are paths without scheme and host, so that they hold behind any proxy.
std::string BlobLocation(absl::string_view repository, absl::string_view digest);
std::string UploadLocation(absl::string_view repository, absl::string_view upload_id);
std::string ManifestLocation(absl::string_view repository, absl::string_view reference);

}  // namespace strata::registry
