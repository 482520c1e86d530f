// From a parsed Dockerfile to a build graph and the image config that goes with it.
//
// Only stages that the target needs are looked at. Instructions that change only the config make no vertex. Variables follow
// BuildKit: of an ARG and an ENV of one name, the one that comes later counts; only ENV reaches the config.
// Language facts: docs/dockerfile.md.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/call_context.h"
#include "lib/oci/image_config.h"
#include "lib/oci/platform.h"
#include "services/builder/dockerfile/parser.h"
#include "services/builder/frontend/base_images.h"
#include "services/builder/graph/vertex.h"

namespace strata::frontend {

struct PlanOptions {
  std::string target;                              // empty: the last stage
  std::map<std::string, std::string> build_args;
  oci::Platform target_platform;
  oci::Platform build_platform;
  std::map<std::string, std::string> labels;       // win over LABEL
  bool no_cache = false;
  bool has_context = true;
  bool show_platform = false;                      // name the platform of each step: several are built
};

struct Plan {
  graph::VertexPtr root;            // the target's file system
  oci::ImageConfig config;          // all but diff_ids and `created`; history holds an entry for each layer and each empty step
  // What COPY, ADD and RUN --mount can touch in the build context, as clean relative paths or globs; "." is everything.
  std::vector<std::string> context_paths;
  std::vector<dockerfile::Warning> warnings;
};

// kInvalidArgument, "<file>:<line>: …": anything wrong in the Dockerfile. Else what BaseImages says, with the same prefix.
absl::StatusOr<Plan> MakePlan(const CallContext& context, const dockerfile::Dockerfile& file, const PlanOptions& options,
                              BaseImages& images);

}  // namespace strata::frontend
