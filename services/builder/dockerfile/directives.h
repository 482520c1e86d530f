// Parser directives: the `# syntax=`, `# escape=` and `# check=` lines at the very top of a Dockerfile.
//
// Scanning ends at the first line that is anything else: a blank line, an ordinary comment, an unknown key or an instruction.
// Keys are case-insensitive. Pure functions; thread-safe.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/builder/dockerfile/source_range.h"
#include "services/builder/dockerfile/warning.h"

namespace strata::dockerfile {

struct Directives {
  std::string syntax;        // "" when absent; the value as written
  SourceRange syntax_range;  // meaningful when `syntax` is not empty
  char escape = '\\';        // '\\' or '`'
  CheckOptions check;
};

// Reads the directives of a whole Dockerfile (with or without a byte order mark).
// kInvalidArgument, naming `file_name` and the line: a directive given twice, an escape that is neither \ nor `, a check
// option that is not known.
absl::StatusOr<Directives> ParseDirectives(absl::string_view text, absl::string_view file_name);

// The value of `# check=`: "skip=RuleA,RuleB;error=true", "skip=all", "experimental=RuleC", joined by ';'.
// kInvalidArgument without a position: an unknown key or a value that is no boolean.
absl::StatusOr<CheckOptions> ParseCheckOptions(absl::string_view value);

// The frontend image a file asks for, "" when none. Besides the directive this knows a first line `#!`, `//` comments and a
// JSON document with a top-level "syntax" string; the value ends at the first blank.
std::string DetectSyntax(absl::string_view text);

}  // namespace strata::dockerfile
