// Build checks: advice about a Dockerfile that builds all the same, and which of them the file asked not to hear.
//
// Rule names are those people know from `docker build --check` (StageNameCasing, MaintainerDeprecated, ...).   Value types.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "services/builder/dockerfile/source_range.h"

namespace strata::dockerfile {

struct Warning {
  std::string rule;     // case-sensitive, e.g. "FromAsCasing"
  std::string message;  // one sentence about this place
  SourceRange range;
};

// What `# check=` (or the build argument BUILDKIT_DOCKERFILE_CHECK) asks for.
struct CheckOptions {
  bool skip_all = false;
  std::vector<std::string> skip;
  bool warnings_are_errors = false;  // error=true: the build must fail when a warning is left
  bool experimental_all = false;
  std::vector<std::string> experimental;

  bool Skips(absl::string_view rule) const;
};

}  // namespace strata::dockerfile
