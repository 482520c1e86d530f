#include "services/registry/routes/path.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace strata::registry {
namespace {

using Segments = std::vector<absl::string_view>;

// All but the last `count` segments form the repository name.
Route Make(Endpoint endpoint, const Segments& segments, size_t count, absl::string_view last) {
  return Route{endpoint, absl::StrJoin(segments.begin(), segments.end() - count, "/"), std::string(last)};
}

}  // namespace

absl::string_view EndpointName(Endpoint endpoint) {
  switch (endpoint) {
    case Endpoint::kBase: return "base";
    case Endpoint::kCatalog: return "catalog";
    case Endpoint::kExtensions: return "extensions";
    case Endpoint::kBlob: return "blob";
    case Endpoint::kUploads: return "uploads";
    case Endpoint::kUpload: return "upload";
    case Endpoint::kManifest: return "manifest";
    case Endpoint::kTags: return "tags";
    case Endpoint::kReferrers: return "referrers";
    case Endpoint::kLegacyPing: return "ping";
    case Endpoint::kLegacySearch: return "search";
    case Endpoint::kToken: return "token";
  }
  return "unknown";
}

std::optional<Route> ParsePath(absl::string_view path) {
  if (path == "/v2" || path == "/v2/") return Route{Endpoint::kBase};
  if (path == "/v2/_catalog") return Route{Endpoint::kCatalog};
  if (path == "/v2/_oci/ext/discover") return Route{Endpoint::kExtensions};
  if (path == "/v1/_ping") return Route{Endpoint::kLegacyPing};
  if (path == "/v1/search") return Route{Endpoint::kLegacySearch};
  if (path == "/token") return Route{Endpoint::kToken};
  if (!absl::ConsumePrefix(&path, "/v2/")) return std::nullopt;
  const Segments segments = absl::StrSplit(path, '/');
  const size_t n = segments.size();
  if (n < 3) return std::nullopt;
  const absl::string_view last = segments[n - 1];
  const absl::string_view noun = segments[n - 2];
  if (n >= 4 && noun == "uploads" && segments[n - 3] == "blobs") {
    return Make(last.empty() ? Endpoint::kUploads : Endpoint::kUpload, segments, 3, last);
  }
  if (noun == "blobs" && last == "uploads") return Make(Endpoint::kUploads, segments, 2, "");
  if (last.empty()) return std::nullopt;
  if (noun == "blobs") return Make(Endpoint::kBlob, segments, 2, last);
  if (noun == "manifests") return Make(Endpoint::kManifest, segments, 2, last);
  if (noun == "tags" && last == "list") return Make(Endpoint::kTags, segments, 2, "");
  if (noun == "referrers") return Make(Endpoint::kReferrers, segments, 2, last);
  return std::nullopt;
}

std::string BlobLocation(absl::string_view repository, absl::string_view digest) {
  return absl::StrCat("/v2/", repository, "/blobs/", digest);
}

std::string UploadLocation(absl::string_view repository, absl::string_view upload_id) {
  return absl::StrCat("/v2/", repository, "/blobs/uploads/", upload_id);
}

std::string ManifestLocation(absl::string_view repository, absl::string_view reference) {
  return absl::StrCat("/v2/", repository, "/manifests/", reference);
}

}  // namespace strata::registry
