// The files of an input, whatever it is: a tree already, or layers that are mounted for reading.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "lib/base/call_context.h"
#include "services/builder/filetree/file_tree.h"
#include "services/builder/graph/vertex.h"
#include "services/builder/ops/op_environment.h"
#include "services/builder/progress/progress.h"
#include "services/builder/solver/result.h"

namespace strata::ops {

// Mounts layers when need be; the mount lives as long as the tree. `progress` is told of layers that must be fetched.
absl::StatusOr<std::shared_ptr<const filetree::FileTree>> OpenInput(const CallContext& context, const OpEnvironment& environment,
                                                                    const solver::Result& input, progress::Progress& progress,
                                                                    uint32_t step);

// Digest of what `action` selects in `input`. For layers the answer is kept in the step cache, so that a warm build neither
// fetches nor mounts them.
absl::StatusOr<Digest> InputDigest(const CallContext& context, const OpEnvironment& environment, const solver::Result& input,
                                   const graph::CopyAction& action);

// Tells `progress` of layers being fetched for `step`.
snapshot::FetchProgress ReportFetch(progress::Progress& progress, uint32_t step);

}  // namespace strata::ops
