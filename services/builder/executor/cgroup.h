// The control groups of steps: where they are, which kind this machine has, and whether the kernel killed for memory in one.
//
// A step lives in <mount>/strata-build/<id>/step, in v1 once a controller. The runtime makes and removes "step"; the group around it is
// ours and outlives it, so that its counters can be read at the end. Thread-compatible.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/unique_fd.h"

namespace strata::executor {

enum class CgroupLayout {
  kNone,
  kV1,
  kHybrid,  // v1 controllers, and an empty v2 tree at /sys/fs/cgroup/unified
  kV2,
};

CgroupLayout DetectCgroupLayout();
// "cgroup v2" and so on, for people.
absl::string_view CgroupLayoutName(CgroupLayout layout);

// The cgroupsPath of a run.
std::string CgroupPath(CgroupLayout layout, absl::string_view run_id);
// Removes the groups of a run that ended. What does not exist is fine.
void RemoveCgroups(CgroupLayout layout, absl::string_view run_id);

// Tells whether the kernel ran out of memory in the group of one run. Make it before the runtime starts, ask after it ended.
class MemoryWatch {
 public:
  // `limit_bytes` 0: nothing is watched. An error: the limit cannot be set.
  static absl::StatusOr<MemoryWatch> Start(CgroupLayout layout, absl::string_view run_id, int64_t limit_bytes);

  // v1 only tells about a group whose own limit is hit, so there the limit is already set on ours and must not be set on the step's.
  bool limit_is_set() const { return notifications_.is_valid(); }
  bool RanOut() const;

 private:
  std::string events_path_;  // v2: memory.events, which includes the groups below
  UniqueFd notifications_;   // v1: an eventfd
};

}  // namespace strata::executor
