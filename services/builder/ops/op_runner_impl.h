// What each operation of the graph does: the OpRunner of one build.
//
// file_step.cc copies, exec_step.cc runs, fetch_step.cc downloads; layer_writer.h turns what a step changed into a stored layer.
// Thread-safe.
#pragma once

#include <memory>
#include <optional>

#include "absl/time/time.h"
#include "services/builder/filetree/file_tree.h"
#include "services/builder/ops/op_environment.h"
#include "services/builder/progress/progress.h"
#include "services/builder/solver/op_runner.h"

namespace strata::ops {

class OpRunnerImpl final : public solver::OpRunner {
 public:
  // `build_context` may be null when the build uses none. `environment` and `progress` must outlive this object. `epoch`:
  // SOURCE_DATE_EPOCH, the latest time a file of a layer may carry.
  OpRunnerImpl(const OpEnvironment& environment, std::shared_ptr<const filetree::FileTree> build_context,
               progress::Progress& progress, std::optional<absl::Time> epoch)
      : environment_(environment), build_context_(std::move(build_context)), progress_(progress), epoch_(epoch) {}

  absl::StatusOr<std::optional<std::string>> CacheKey(const CallContext& context, const graph::Vertex& vertex,
                                                      const std::vector<solver::Result>& inputs) override;
  absl::StatusOr<solver::Result> Run(const CallContext& context, const graph::Vertex& vertex,
                                     const std::vector<solver::Result>& inputs, uint32_t step) override;

 private:
  const OpEnvironment& environment_;
  const std::shared_ptr<const filetree::FileTree> build_context_;
  progress::Progress& progress_;
  const std::optional<absl::Time> epoch_;
};

}  // namespace strata::ops
