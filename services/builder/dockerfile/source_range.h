// Where something stands in a Dockerfile, and errors that say so.   Value types.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace strata::dockerfile {

// Lines of the file, counted from 1, both ends included. {0, 0}: not from a file (an ONBUILD trigger of a base image).
struct SourceRange {
  int first_line = 0;
  int last_line = 0;
  bool operator==(const SourceRange&) const = default;
};

// A line of a named file. `file` may be "" and `line` 0 when there is none.
struct Position {
  std::string file;
  int line = 0;
};

// kInvalidArgument with "<file>:<line>: <message>"; the parts that are unknown are left out.
absl::Status ErrorAt(const Position& position, absl::string_view message);

}  // namespace strata::dockerfile
