// Paths, names and references of any bytes: a valid route is one whose location reads as the same route again.
#include <cstddef>
#include <cstdint>

#include "lib/base/check.h"
#include "services/registry/repository/name.h"
#include "services/registry/routes/path.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace strata::registry;
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const auto route = ParsePath(text);
  if (!route || !CheckRepositoryName(route->repository).ok()) return 0;
  if (route->endpoint == Endpoint::kManifest) {
    const auto again = ParsePath(ManifestLocation(route->repository, route->last));
    STRATA_CHECK(again && again->repository == route->repository && again->last == route->last);
    const auto reference = ParseReference(route->last);
    if (reference.ok() && reference->digest) STRATA_CHECK(reference->digest->ToString() == route->last);
  }
  if (route->endpoint == Endpoint::kUploads) {
    const auto again = ParsePath(UploadLocation(route->repository, "id"));
    STRATA_CHECK(again && again->endpoint == Endpoint::kUpload && again->repository == route->repository);
  }
  return 0;
}
