// Where a path that something is to be put at leads to, inside the root of a step.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace strata::filetree {

// `path` without symbolic links, "." and ".."; no slash at either end. Links are followed also where they lead to nothing: what is
// missing is for the caller to make. kInvalidArgument: more than 40 links on the way. kFailedPrecondition: a file is in the way.
absl::StatusOr<std::string> ResolveDestination(int root_fd, absl::string_view path);

}  // namespace strata::filetree
