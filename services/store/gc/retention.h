// The retention rules of a store: kept in one row, and applied repository by repository. lib/blobstore/retention.h says how they decide.
//
// A repository with a rule is read twice: once to find how new a tag must be to stay, once to remove what is not. Memory is bounded by
// the tags that rules keep, not by those that there are. Each tag or manifest goes in a transaction of its own, which looks again
// whether it is as it was when that was decided: what is pushed, tagged or leased meanwhile stays. Thread-safe; calls block.
#pragma once

#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/blobstore/retention.h"
#include "services/store/engine/core.h"

namespace strata::store {

class Retention {
 public:
  // How a run is interrupted and paced. `goes_on`: false ends it early, an error with that error. `rest`: called after each piece
  // of work with the time that it took.
  struct Pace {
    std::function<absl::StatusOr<bool>()> goes_on;
    std::function<void(absl::Duration)> rest;
  };

  // `core` outlives this object.
  explicit Retention(const Core& core) : core_(core) {}

  absl::StatusOr<std::vector<blobstore::RetentionRule>> Get();
  absl::Status Set(const std::vector<blobstore::RetentionRule>& rules);
  absl::StatusOr<blobstore::RetentionReport> Apply(const blobstore::RetentionRunOptions& options, const Pace& pace);

 private:
  const Core& core_;
};

}  // namespace strata::store
