// Makes the data folder of a store from a backup, while no store runs on either.
//
// Everything is copied into <data>/.restoring (never linked: a restored store shares nothing with its backup), verified (facts, and every
// content against its digest), synced, and only then moved into place: a restore that fails or is killed leaves a folder that a store refuses
// to see as its own data, and that the next restore empties.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/call_context.h"
#include "services/store/backup/backup.h"
#include "services/store/verify/verifier.h"

namespace strata::store {

struct RestoreSummary {
  std::string backup;
  int64_t extents = 0;
  int64_t bytes = 0;
  VerifySummary verified;
};

// `data_dir` must not exist or be empty; its parent exists. Findings go to `observer`; with any the restore fails with kDataLoss unless `accept_damage`:
// then the store is made, and serves what is sound.
// kFailedPrecondition: `data_dir` holds something. kNotFound: no backup in `from`. kResourceExhausted: the disk is full.
absl::StatusOr<RestoreSummary> Restore(const CallContext& context, const std::string& from, const std::string& data_dir, bool accept_damage,
                                       VerifyObserver& observer);

}  // namespace strata::store
