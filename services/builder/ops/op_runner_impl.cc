#include "services/builder/ops/op_runner_impl.h"

#include <variant>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "services/builder/ops/steps.h"

namespace strata::ops {

absl::StatusOr<std::optional<std::string>> OpRunnerImpl::CacheKey(const CallContext& context, const graph::Vertex& vertex,
                                                                  const std::vector<solver::Result>& inputs) {
  std::string key;
  if (const auto* file = std::get_if<graph::FileOp>(&vertex.op)) {
    STRATA_ASSIGN_OR_RETURN(key, FileKey(context, environment_, *file, inputs));
  } else if (const auto* exec = std::get_if<graph::ExecOp>(&vertex.op)) {
    STRATA_ASSIGN_OR_RETURN(key, ExecKey(context, environment_, *exec, inputs));
  } else {
    return std::nullopt;
  }
  // A layer whose times were clamped is another layer.
  if (epoch_) absl::StrAppend(&key, "/epoch-", absl::ToUnixSeconds(*epoch_));
  return key;
}

absl::StatusOr<solver::Result> OpRunnerImpl::Run(const CallContext& context, const graph::Vertex& vertex,
                                                 const std::vector<solver::Result>& inputs, uint32_t step_id) {
  const StepContext step{context, environment_, inputs, progress_, step_id, epoch_};
  solver::Result result;
  if (const auto* image = std::get_if<graph::ImageOp>(&vertex.op)) {
    result.layers = image->layers;
    return result;
  }
  if (std::holds_alternative<graph::ContextOp>(vertex.op)) {
    result.files = build_context_;
    return result;
  }
  if (const auto* http = std::get_if<graph::HttpOp>(&vertex.op)) {
    STRATA_ASSIGN_OR_RETURN(result.files, Fetch(step, *http));
    return result;
  }
  absl::StatusOr<snapshot::Layer> layer = absl::UnimplementedError("sources from git are not supported by this version");
  if (const auto* file = std::get_if<graph::FileOp>(&vertex.op)) layer = RunFile(step, *file);
  if (const auto* exec = std::get_if<graph::ExecOp>(&vertex.op)) layer = RunExec(step, *exec);
  if (!layer.ok()) return layer.status();
  result.layers = inputs.front().layers;
  result.layers.push_back(*std::move(layer));
  return result;
}

}  // namespace strata::ops
