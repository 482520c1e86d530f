// GET /v2/<name>/referrers/<digest>. Spec: OCI distribution-spec, "Listing Referrers".
//
// Always an index, empty when nothing refers to the digest, even in a repository that does not exist. A page stays well below the
// 4 MiB that clients accept as an index; the rest is behind a Link.
#pragma once

#include "absl/status/status.h"
#include "services/registry/routes/exchange.h"

namespace strata::registry {

inline constexpr size_t kMaxReferrersPageBytes = 2 * 1024 * 1024;

absl::Status ListReferrers(const Exchange& exchange);

}  // namespace strata::registry
