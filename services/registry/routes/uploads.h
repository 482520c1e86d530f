// Upload sessions: POST /v2/<name>/blobs/uploads/ and GET, PATCH, PUT, DELETE of the session's location.
// Spec: OCI distribution-spec, "Pushing blobs".
//
//     POST ──202──> session ──PATCH*──> session ──PUT ?digest=──201──> blob
//      │                └──────DELETE──204──> gone
//      ├─ ?digest= and a body ──201──> blob
//      └─ ?mount= &from=      ──201──> blob of another repository, else a session as usual
//
// Sessions live in the store, so any replica goes on with any session. What arrived before a client was lost stays: GET tells the
// offset, and a chunk that does not follow on is answered 416 with the offset held.
#pragma once

#include "absl/status/status.h"
#include "services/registry/routes/exchange.h"

namespace strata::registry {

absl::Status StartUpload(const Exchange& exchange);   // POST
absl::Status GetUpload(const Exchange& exchange);     // GET
absl::Status PatchUpload(const Exchange& exchange);   // PATCH
absl::Status FinishUpload(const Exchange& exchange);  // PUT
absl::Status CancelUpload(const Exchange& exchange);  // DELETE

}  // namespace strata::registry
