// Which of several names a mistyped one was meant to be.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace strata::config {

// "" when none is near: more than one edit and a further one for every four letters.
std::string Nearest(absl::string_view name, const std::vector<std::string>& candidates);

}  // namespace strata::config
