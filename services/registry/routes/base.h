// GET /v2/, which every client asks first, and the list of extensions. Spec: OCI distribution-spec, "Determining Support".
#pragma once

#include "absl/status/status.h"
#include "services/registry/routes/exchange.h"

namespace strata::registry {

absl::Status GetBase(const Exchange& exchange);
absl::Status GetExtensions(const Exchange& exchange);

}  // namespace strata::registry
