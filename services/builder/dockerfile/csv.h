// One CSV record (RFC 4180, as --mount uses it): fields between commas, a field in double quotes may hold commas and "".
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace strata::dockerfile {

// kInvalidArgument: a quote inside a bare field, text after a closing quote, a quote that is not closed.
absl::StatusOr<std::vector<std::string>> ParseCsvRecord(absl::string_view text);

}  // namespace strata::dockerfile
