// "Did you mean": the known name nearest to a misspelt one.   Pure function; thread-safe.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace strata::dockerfile {

// The candidate with the fewest edits (insert, delete, replace, swap of neighbours; case does not count), the first of equals;
// "" when none is closer than about a third of its length, or when `name` has more than 64 bytes.
std::string Nearest(absl::string_view name, absl::Span<const std::string> candidates);

// `; did you mean "build"?`, or "" when nothing is near: append it to a message.
std::string DidYouMean(absl::string_view name, absl::Span<const std::string> candidates);

}  // namespace strata::dockerfile
