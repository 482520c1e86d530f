// Compares rows with rows, at one moment: docs/formats/store.md, "What holds at any moment", 3, and that each row can be read.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "services/store/engine/key_value.h"
#include "services/store/verify/findings.h"

namespace strata::store {

struct FactTotals {
  int64_t rows = 0;
  int64_t blobs = 0;
  int64_t blob_bytes = 0;
  int64_t quarantined = 0;
};

// `facts` sees one moment. Errors: those of `observer`, and of a reader that fails altogether.
absl::StatusOr<FactTotals> CheckFacts(Reader& facts, VerifyObserver& observer);

}  // namespace strata::store
