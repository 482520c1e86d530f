// The operations themselves; see op_runner_impl.h. Each pair of functions belongs to one kind of op.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/call_context.h"
#include "services/builder/graph/vertex.h"
#include "services/builder/ops/op_environment.h"
#include "services/builder/progress/progress.h"
#include "services/builder/solver/result.h"

namespace strata::ops {

// One step under way.
struct StepContext {
  const CallContext& call;
  const OpEnvironment& environment;
  const std::vector<solver::Result>& inputs;
  progress::Progress& progress;
  uint32_t step;
  std::optional<absl::Time> epoch;
};

absl::StatusOr<std::string> FileKey(const CallContext& context, const OpEnvironment& environment, const graph::FileOp& op,
                                    const std::vector<solver::Result>& inputs);
// kNotFound: a source is missing. kInvalidArgument: files and folders in each other's way, unknown owner, bad mode.
absl::StatusOr<snapshot::Layer> RunFile(const StepContext& step, const graph::FileOp& op);

absl::StatusOr<std::string> ExecKey(const CallContext& context, const OpEnvironment& environment, const graph::ExecOp& op,
                                    const std::vector<solver::Result>& inputs);
// kFailedPrecondition: the command failed; the message holds its exit code and last lines.
absl::StatusOr<snapshot::Layer> RunExec(const StepContext& step, const graph::ExecOp& op);

// The one file that the URL gives, as a tree. kNotFound, kUnavailable: the server's answer. kInvalidArgument: checksum differs.
absl::StatusOr<std::shared_ptr<const filetree::FileTree>> Fetch(const StepContext& step, const graph::HttpOp& op);

}  // namespace strata::ops
