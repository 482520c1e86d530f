// GET, HEAD and DELETE /v2/<name>/blobs/<digest>. Spec: OCI distribution-spec, "Pulling blobs"; RFC 9110 section 14 (ranges).
//
// A blob is read where the repository has a link to it, and nowhere else. Content goes from the store to the client in pieces of
// kStreamChunkBytes; an open range is never cut short, because docker takes an early end for an error.
#pragma once

#include "absl/status/status.h"
#include "services/registry/routes/exchange.h"

namespace strata::registry {

// GET and HEAD. 200, 206 (several ranges: multipart/byteranges), 304 or 416.
absl::Status GetBlob(const Exchange& exchange);
absl::Status DeleteBlob(const Exchange& exchange);

}  // namespace strata::registry
