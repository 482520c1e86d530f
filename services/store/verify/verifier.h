// Verification of a whole store: facts against facts, rows against files, and, when deep, bytes against digests.
//
// Runs on a store that serves (VerifyStore) or on a folder that no store uses, such as a backup (VerifyFolder). Blocks for as long
// as reading takes. Thread-safe.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "lib/base/call_context.h"
#include "services/store/engine/core.h"
#include "services/store/verify/findings.h"

namespace strata::store {

struct VerifySummary {
  int64_t rows = 0;
  int64_t blobs = 0;
  int64_t bytes_read = 0;
  int64_t findings = 0;
  int64_t quarantined_blobs = 0;  // known before; no findings
};

// Changes made meanwhile are never reported. Damaged blobs are quarantined, and reported.
// Errors: of the observer, of `context`, and of a store that cannot be read at all.
absl::StatusOr<VerifySummary> VerifyStore(const CallContext& context, const Core& core, bool is_deep, VerifyObserver& observer);

// Changes nothing in the folder. Upload sessions are not looked at.
// kNotFound: there is no store in it. kFailedPrecondition: a store runs on it, or it is of another format. kDataLoss: the metadata cannot be opened.
absl::StatusOr<VerifySummary> VerifyFolder(const CallContext& context, const std::string& data_dir, bool is_deep, VerifyObserver& observer);

}  // namespace strata::store
