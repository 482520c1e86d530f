// What the solver asks of operations. services/builder/ops implements it; tests use fakes. Thread-safe.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/call_context.h"
#include "services/builder/graph/vertex.h"
#include "services/builder/solver/result.h"

namespace strata::solver {

class OpRunner {
 public:
  virtual ~OpRunner() = default;

  // The content-derived key under which the layer that `vertex` adds is kept; absent for operations that add none.
  // Cheap when the answer is known: no layer is fetched, no file content sent, unless the key cannot be told without.
  virtual absl::StatusOr<std::optional<std::string>> CacheKey(const CallContext& context, const graph::Vertex& vertex,
                                                              const std::vector<Result>& inputs) = 0;

  // Does the work. `step` is the vertex in the build's Progress.
  virtual absl::StatusOr<Result> Run(const CallContext& context, const graph::Vertex& vertex,
                                     const std::vector<Result>& inputs, uint32_t step) = 0;
};

}  // namespace strata::solver
