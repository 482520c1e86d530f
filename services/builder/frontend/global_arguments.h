// The variables that FROM lines see, and what an `ARG name` without default gets in a stage.
// Docs: docs/dockerfile.md, "ARG scopes". Immutable once made.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/builder/dockerfile/parser.h"
#include "services/builder/frontend/frontend.h"
#include "services/builder/frontend/variables.h"

namespace strata::frontend {

class GlobalArguments {
 public:
  // kInvalidArgument with file and line: a default that does not expand.
  static absl::StatusOr<GlobalArguments> Make(const dockerfile::Dockerfile& file, const PlanOptions& options);

  // For FROM lines: build argument, else default, else platform argument.
  std::optional<std::string> Get(absl::string_view name) const;
  // For ARG in a stage: build argument, else `otherwise`, else global ARG, else platform argument.
  std::optional<std::string> InStage(absl::string_view name, const std::optional<std::string>& otherwise) const;

 private:
  explicit GlobalArguments(const std::map<std::string, std::string>& build_args) : build_args_(build_args) {}

  std::map<std::string, std::string> build_args_;
  Variables declared_;
  Variables platform_;
};

}  // namespace strata::frontend
