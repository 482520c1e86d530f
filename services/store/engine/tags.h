// Single tags of RefStore. Thread-safe; calls block. Every change is one synced transaction.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/blobstore/ref_store.h"
#include "lib/digest/digest.h"
#include "services/store/engine/core.h"

namespace strata::store {

class Tags {
 public:
  // `core` outlives this object.
  explicit Tags(const Core& core) : core_(core) {}
  absl::Status Set(absl::string_view repository, absl::string_view tag, const Digest& digest,
                   const blobstore::TagCondition& condition);
  absl::StatusOr<Digest> Delete(absl::string_view repository, absl::string_view tag, const blobstore::TagCondition& condition);
  absl::StatusOr<blobstore::Page<blobstore::TagHistoryEntry>> ListHistory(absl::string_view repository, absl::string_view tag,
                                                                          uint64_t before, int limit);

 private:
  const Core& core_;
};

}  // namespace strata::store
