#include "services/builder/dockerfile/source_range.h"

#include "absl/strings/str_cat.h"

namespace strata::dockerfile {

absl::Status ErrorAt(const Position& position, absl::string_view message) {
  std::string where = position.file;
  if (position.line > 0) absl::StrAppend(&where, where.empty() ? "line " : ":", position.line);
  if (!where.empty()) where += ": ";
  return absl::InvalidArgumentError(absl::StrCat(where, message));
}

}  // namespace strata::dockerfile
