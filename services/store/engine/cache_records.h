// Build-cache records, the blobs they keep alive, and their removal by last use. Thread-safe; calls block.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "lib/digest/digest.h"
#include "services/store/engine/core.h"

namespace strata::store {

class CacheRecords {
 public:
  // `core` outlives this object.
  explicit CacheRecords(const Core& core) : core_(core) {}

  // Notes the use, to a second.
  absl::StatusOr<std::string> Get(absl::string_view key);
  absl::Status Put(absl::string_view key, absl::string_view value, absl::Span<const Digest> needs);
  absl::StatusOr<int64_t> Prune(absl::Time unused_since);

 private:
  absl::Status NoteUse(absl::string_view key);
  const Core& core_;
};

}  // namespace strata::store
