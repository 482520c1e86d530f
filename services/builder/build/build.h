// One build from Dockerfile text to stored image: the order of things, and nothing of how each is done.
//
//   parse -> plan (for each platform; bases resolved) -> ask the client for the context's listing -> solve -> export
//
// Knows no wire protocol: each front door (strata.builder.v1 and, later, moby.buildkit.v1 and the Engine API) translates to this.
// Thread-safe; Build blocks until the build ended.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/call_context.h"
#include "lib/digest/digest.h"
#include "services/builder/exporter/image_exporter.h"
#include "services/builder/filetree/file_tree.h"
#include "services/builder/frontend/base_images.h"
#include "services/builder/ops/op_environment.h"
#include "services/builder/progress/progress.h"
#include "services/builder/solver/solver.h"

namespace strata::build {

struct BuildSpec {
  std::string dockerfile;
  std::string dockerfile_name = "Dockerfile";
  std::vector<std::string> tags;
  std::string target;
  std::map<std::string, std::string> build_args;
  std::vector<std::string> platforms;  // empty: the builder's own
  std::map<std::string, std::string> labels;
  bool no_cache = false;
  bool has_context = true;
  exporter::Format format = exporter::Format::kOci;
  std::optional<absl::Time> source_date_epoch;
};

// Whoever offers the build context.
class ContextProvider {
 public:
  virtual ~ContextProvider() = default;
  // The listing of what these paths and globs name; content comes later, when a step asks the tree for it.
  virtual absl::StatusOr<std::shared_ptr<const filetree::FileTree>> List(const CallContext& context,
                                                                         const std::vector<std::string>& include,
                                                                         uint32_t step) = 0;
};

struct BuildOutcome {
  exporter::ExportedImage image;
  std::vector<std::string> names;            // as people write them: "app:1"
  std::vector<std::string> pull_references;  // of those that our registry serves under its first name: "127.0.0.1:5000/app:1"
  int steps_cached = 0;
  int steps_run = 0;
  absl::Duration elapsed;
};

class Builder {
 public:
  // All must outlive this object. `own_hosts`: names our own registry is reached by.
  Builder(solver::Solver& solver, const ops::OpEnvironment& environment, exporter::ImageExporter& exporter,
          std::vector<std::string> own_hosts)
      : solver_(solver), environment_(environment), exporter_(exporter), own_hosts_(std::move(own_hosts)) {}

  // kInvalidArgument: Dockerfile or options. kNotFound: a base or a COPY source. kFailedPrecondition: a RUN failed.
  // kCancelled: the context was; nothing stays mounted, running or half stored. `bases` is this build's view of base images.
  absl::StatusOr<BuildOutcome> Build(const CallContext& context, const BuildSpec& spec, frontend::BaseImages& bases,
                                     ContextProvider& provider, progress::Progress& progress);

 private:
  solver::Solver& solver_;
  const ops::OpEnvironment& environment_;
  exporter::ImageExporter& exporter_;
  const std::vector<std::string> own_hosts_;
};

}  // namespace strata::build
