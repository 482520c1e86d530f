// One instruction cut into its parts, on the way from a logical line to a typed Instruction; inside this room only.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/builder/dockerfile/flags.h"
#include "services/builder/dockerfile/instruction.h"

namespace strata::dockerfile {

struct Statement {
  InstructionBase base;
  std::string keyword;  // upper case
  Flags flags;
  std::string rest;     // after keyword and flags, trimmed
  std::vector<Heredoc> heredocs;
  char escape = '\\';
};

// How something was written, for the build checks.
struct Notes {
  std::string keyword;     // as written
  std::string as_keyword;  // FROM: "AS" as written
  std::string stage_name;  // FROM: the name as written
  bool is_legacy_key_value = false;  // "ENV key value"
  std::vector<int> empty_lines;      // inside the instruction
};

// An instruction of the language. Parsers return kInvalidArgument without a position.
struct InstructionSpec {
  absl::string_view keyword;
  std::vector<FlagSpec> flags;
  bool takes_heredocs = false;
  absl::StatusOr<Instruction> (*parse)(const Statement& statement, Notes& notes) = nullptr;
};

// nullptr: no such instruction. `keyword` in upper case.
const InstructionSpec* FindInstruction(absl::string_view keyword);

// "unknown instruction: FRMO (did you mean FROM?)".
std::string UnknownInstruction(absl::string_view written);

// The parsers, by family: parse_stage.cc, parse_run.cc, parse_transfer.cc, parse_config.cc.
absl::StatusOr<Instruction> ParseFrom(const Statement& statement, Notes& notes);
absl::StatusOr<Instruction> ParseArg(const Statement& statement, Notes& notes);
absl::StatusOr<Instruction> ParseOnbuild(const Statement& statement, Notes& notes);
absl::StatusOr<Instruction> ParseRun(const Statement& statement, Notes& notes);
absl::StatusOr<Instruction> ParseCmd(const Statement& statement, Notes& notes);
absl::StatusOr<Instruction> ParseEntrypoint(const Statement& statement, Notes& notes);
absl::StatusOr<Instruction> ParseHealthcheck(const Statement& statement, Notes& notes);
absl::StatusOr<Instruction> ParseShell(const Statement& statement, Notes& notes);
absl::StatusOr<Instruction> ParseCopy(const Statement& statement, Notes& notes);
absl::StatusOr<Instruction> ParseAdd(const Statement& statement, Notes& notes);
absl::StatusOr<Instruction> ParseLabel(const Statement& statement, Notes& notes);
absl::StatusOr<Instruction> ParseMaintainer(const Statement& statement, Notes& notes);
absl::StatusOr<Instruction> ParseExpose(const Statement& statement, Notes& notes);
absl::StatusOr<Instruction> ParseEnv(const Statement& statement, Notes& notes);
absl::StatusOr<Instruction> ParseVolume(const Statement& statement, Notes& notes);
absl::StatusOr<Instruction> ParseUser(const Statement& statement, Notes& notes);
absl::StatusOr<Instruction> ParseWorkdir(const Statement& statement, Notes& notes);
absl::StatusOr<Instruction> ParseStopsignal(const Statement& statement, Notes& notes);

// Shared by the families.
// JSON or shell form. kInvalidArgument: a JSON array that holds something else than strings.
absl::StatusOr<Command> ParseCommand(absl::string_view text);
// JSON array or words between blanks; errors as above.
absl::StatusOr<std::vector<std::string>> ParseList(absl::string_view text);
// "X requires at least one argument", "X requires exactly one argument".
absl::Status RequiresAtLeastOne(const Statement& statement);
absl::Status RequiresExactlyOne(const Statement& statement);

}  // namespace strata::dockerfile
