// The build checks that need nothing but the text.   Pure function; thread-safe. Inside this room only.
#pragma once

#include <vector>

#include "services/builder/dockerfile/parser.h"
#include "services/builder/dockerfile/statement.h"

namespace strata::dockerfile {

struct NotedInstruction {
  Instruction instruction;
  Notes notes;
};

// `instructions` are all those of a file, in order. The result is in line order.
std::vector<Warning> Lint(const std::vector<NotedInstruction>& instructions);

}  // namespace strata::dockerfile
