// What a stage is so far, while its instructions are read one after another.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/oci/image_config.h"
#include "lib/oci/platform.h"
#include "services/builder/dockerfile/instruction.h"
#include "services/builder/frontend/frontend.h"
#include "services/builder/frontend/variables.h"
#include "services/builder/graph/vertex.h"

namespace strata::frontend {

// One stage under construction; `FROM stage` copies it.
struct StageState {
  graph::VertexPtr root;
  oci::ImageConfig config;
  oci::Platform platform;
  Variables variables;                          // ENV and ARG in effect
  std::vector<std::string> arguments;           // names of the ARGs so far, in order: shown in history
  bool cmd_set = false;                         // in this stage
};

// What instructions need besides the stage they change.
class StageContext {
 public:
  virtual ~StageContext() = default;
  virtual const PlanOptions& options() const = 0;
  virtual char escape() const = 0;
  // The value an `ARG name` without default gets: build argument, global ARG, platform argument.
  virtual std::optional<std::string> ArgumentValue(absl::string_view name, const std::optional<std::string>& otherwise) = 0;
  // The vertex that a COPY --from or mount from= names: a stage before the current one, else an image.
  virtual absl::StatusOr<graph::VertexPtr> ResolveFrom(absl::string_view reference) = 0;
  // The build context; remembers that `path` of it may be touched. kInvalidArgument: this build has none.
  virtual absl::StatusOr<graph::VertexPtr> UseContext(absl::string_view path) = 0;
  // "[build 3/7] " for the next step of this stage.
  virtual std::string NextStepPrefix() = 0;
};

// `Dockerfile:12`; empty for a trigger of a base image.
std::string Location(absl::string_view file_name, const dockerfile::InstructionBase& instruction);

// Apply one instruction to the stage. Errors have no position: the caller adds it.
absl::Status ApplyConfig(StageState& stage, StageContext& context, const dockerfile::Instruction& instruction);
absl::Status ApplyRun(StageState& stage, StageContext& context, const dockerfile::Run& run, const std::string& location);
absl::Status ApplyCopy(StageState& stage, StageContext& context, const dockerfile::Copy& copy, const std::string& location);
absl::Status ApplyAdd(StageState& stage, StageContext& context, const dockerfile::Add& add, const std::string& location);
absl::Status ApplyWorkdir(StageState& stage, StageContext& context, const dockerfile::Workdir& workdir,
                          const std::string& location);

// Expands one word with the stage's variables.
absl::StatusOr<std::string> Expand(const StageState& stage, const StageContext& context, absl::string_view word);

// Adds a history entry as Docker writes them.
void AddHistory(StageState& stage, absl::string_view created_by, bool empty_layer);

// The SHELL in effect.
std::vector<std::string> ShellOf(const StageState& stage);

}  // namespace strata::frontend
