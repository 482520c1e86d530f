// GET /v1/_ping and GET /v1/search?q=&n=: what `docker search` asks. Spec: Docker Registry HTTP API V1, "Search".
#pragma once

#include "absl/status/status.h"
#include "services/registry/routes/exchange.h"

namespace strata::registry {

absl::Status LegacyPing(const Exchange& exchange);

// Repositories whose name contains every word of q, that the caller may read, in byte order; n from 1 to 100, otherwise 25.
// Looks through at most kMaxNamesSearched names.
absl::Status SearchRepositories(const Exchange& exchange);

inline constexpr int kMaxNamesSearched = 100'000;

}  // namespace strata::registry
