// A collection that only looks: what Collector::RunNow() would remove at this moment. Changes nothing, takes no lock, and reads of
// the queue what RunNow() reads.
#pragma once

#include "absl/status/statusor.h"
#include "lib/base/call_context.h"
#include "lib/blobstore/admin_store.h"
#include "services/store/engine/core.h"

namespace strata::store {

// kResourceExhausted: more than a million objects are about to go, more than it keeps in mind. The error of `context` when it ends.
absl::StatusOr<blobstore::GarbageReport> PlanCollection(const Core& core, const CallContext& context);

}  // namespace strata::store
