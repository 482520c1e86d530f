// Reads a Dockerfile into typed instructions, stage by stage.
//
// Language: Dockerfile frontend 1.26 (directives, here-documents, all flags). Variables are not expanded here (expand.h), stage
// names in COPY --from are not resolved here (stages.h). Pure functions; thread-safe. Time and memory are linear in the text.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/builder/dockerfile/directives.h"
#include "services/builder/dockerfile/instruction.h"
#include "services/builder/dockerfile/warning.h"

namespace strata::dockerfile {

constexpr size_t kMaxFileBytes = 16 * 1024 * 1024;
constexpr size_t kMaxLineBytes = 65535;
constexpr size_t kMaxStages = 1000;

struct Stage {
  From from;
  std::string name;         // as from.name: lower case, "" when it has none
  std::string description;  // the comment right above FROM, if it starts with the stage's name
  std::vector<Instruction> instructions;  // after FROM
  SourceRange range;        // FROM to the last instruction
};

struct Dockerfile {
  std::string file_name;
  Directives directives;
  std::vector<Arg> global_args;  // before the first FROM
  std::vector<Stage> stages;     // at least one
  std::vector<Warning> warnings;  // those that `# check=` skips are left out; in line order
};

struct ParseOptions {
  std::optional<CheckOptions> check;  // instead of the file's own directive
};

// kInvalidArgument with "<file>:<line>: <what is wrong; what to do>": whatever is wrong in the text; also a file over
// kMaxFileBytes, a line over kMaxLineBytes, more than kMaxStages stages. `file_name` is only used in messages.
absl::StatusOr<Dockerfile> Parse(absl::string_view text, absl::string_view file_name, const ParseOptions& options = {});

// One instruction on its own, as ONBUILD keeps them; FROM, MAINTAINER and ONBUILD are refused as triggers.
// kInvalidArgument with "ONBUILD <trigger>: <message>".
absl::StatusOr<Instruction> ParseInstruction(absl::string_view trigger, char escape = '\\');

}  // namespace strata::dockerfile
