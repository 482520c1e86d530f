// GET /v2/<name>/tags/list. Spec: OCI distribution-spec, "Listing Tags". Tags come in byte order.
#pragma once

#include "absl/status/status.h"
#include "services/registry/routes/exchange.h"

namespace strata::registry {

absl::Status ListTags(const Exchange& exchange);

}  // namespace strata::registry
