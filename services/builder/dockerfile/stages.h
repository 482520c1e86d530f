// How the stages of a Dockerfile hang together: what FROM, COPY --from and RUN --mount=from= refer to, and which stages a
// target needs.
//
// Names are compared without case; a later stage of the same name hides an earlier one for what follows. A reference can only
// reach a stage that stands before it, so the graph has no cycles. Pure functions; thread-safe.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/builder/dockerfile/expand.h"
#include "services/builder/dockerfile/parser.h"

namespace strata::dockerfile {

// One reference out of a stage.
struct StageLink {
  enum class Kind { kBase, kCopy, kMount };
  Kind kind = Kind::kBase;
  std::string reference;  // as the text names it, variables of FROM expanded
  int stage = -1;         // index into Dockerfile::stages; -1: an image, a named context or "scratch"
  SourceRange range;      // of the instruction
  // When `stage` is -1 and the reference looks like a misspelt stage: `no stage "biuld"; did you mean "build" (line 3)?`.
  // To be shown when the image cannot be found either.
  std::string hint;
};

struct StageGraph {
  struct Node {
    StageLink base;
    std::string platform;          // FROM --platform, expanded; "" when absent
    std::vector<StageLink> links;  // COPY and RUN, in order, those of ONBUILD triggers of a base stage first
  };
  std::vector<Node> nodes;  // one for each of Dockerfile::stages

  // The stages that `target` needs, itself included, in file order.
  std::vector<int> Needed(int target) const;
};

struct StageOptions {
  std::vector<std::string> named_contexts;  // they hide stages and images of the same name
};

// Resolves every reference. `global` knows the global ARGs (with defaults and build arguments applied) for FROM.
// kInvalidArgument with file and line: a blank base name, a variable that does not expand, a reference to a stage that only
// comes later ("cannot copy from stage ..., it needs to be defined before"), a stage that copies from itself, a stage number
// that does not exist ("invalid stage index N"), more than 100000 references.
absl::StatusOr<StageGraph> ResolveStages(const Dockerfile& file, VariableLookup global, const StageOptions& options = {});

// The index of the stage called `name_or_number` (the last of that name), as for --target.   "" is the last stage.
// kInvalidArgument: `target stage "biuld" could not be found; did you mean "build" (line 3)?`, or the names there are.
absl::StatusOr<int> FindStage(const Dockerfile& file, absl::string_view name_or_number);

// `no stage "biuld"; did you mean "build" (line 3)?`, "" when nothing among the first `before` stages is near.
std::string UnknownStageHint(const Dockerfile& file, absl::string_view name, int before);

}  // namespace strata::dockerfile
