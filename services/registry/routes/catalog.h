// GET /v2/_catalog. Spec: Docker Registry HTTP API V2, "Listing Repositories". Only what the caller may read is listed.
#pragma once

#include "absl/status/status.h"
#include "services/registry/routes/exchange.h"

namespace strata::registry {

absl::Status ListCatalog(const Exchange& exchange);

}  // namespace strata::registry
