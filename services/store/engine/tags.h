// Single tags of RefStore. Thread-safe; calls block. Every change is one synced transaction.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/digest/digest.h"
#include "services/store/engine/core.h"

namespace strata::store {

class Tags {
 public:
  // `core` outlives this object.
  explicit Tags(const Core& core) : core_(core) {}
  absl::Status Set(absl::string_view repository, absl::string_view tag, const Digest& digest,
                   const std::optional<Digest>& expected);
  absl::StatusOr<Digest> Delete(absl::string_view repository, absl::string_view tag);

 private:
  const Core& core_;
};

}  // namespace strata::store
