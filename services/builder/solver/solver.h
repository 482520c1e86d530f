// Evaluates a build graph: what is cached, what runs, independent vertices in parallel.
//
// A vertex is looked at when all its inputs have results, so its cache key is made of what the inputs *are* (chain IDs), not of how
// they came about: a step whose output equals an earlier output lets the steps after it hit. One Solver serves all builds.
// Thread-safe.
#pragma once

#include <algorithm>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "lib/base/call_context.h"
#include "services/builder/cache/step_cache.h"
#include "services/builder/graph/vertex.h"
#include "services/builder/progress/progress.h"
#include "services/builder/solver/flights.h"
#include "services/builder/solver/op_runner.h"
#include "services/builder/solver/result.h"

namespace strata::solver {

struct SolveReport {
  std::vector<Result> results;  // one a target
  int steps_cached = 0;
  int steps_run = 0;
};

class Solver {
 public:
  // `cache` must outlive this object. `parallelism`: vertices of one build evaluated at once, at least one.
  Solver(cache::StepCache& cache, int parallelism) : cache_(cache), parallelism_(std::max(parallelism, 1)) {}

  // Evaluates the targets. The first failure cancels what still runs, and is what is returned, prefixed with the location of its
  // instruction. kCancelled: the context was. `runner` and `progress` are borrowed for the call.
  absl::StatusOr<SolveReport> Solve(const CallContext& context, absl::Span<const graph::VertexPtr> targets, OpRunner& runner,
                                    progress::Progress& progress);

 private:
  class Evaluation;

  cache::StepCache& cache_;
  const int parallelism_;
  Flights flights_;
};

}  // namespace strata::solver
