// FROM, ARG and ONBUILD.
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "services/builder/dockerfile/statement.h"
#include "services/builder/dockerfile/words.h"

namespace strata::dockerfile {
namespace {

bool IsStageName(absl::string_view name) {
  if (name.empty() || !absl::ascii_islower(name[0])) return false;
  for (const char c : name) {
    if (!absl::ascii_islower(c) && !absl::ascii_isdigit(c) && c != '-' && c != '_' && c != '.') return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<Instruction> ParseFrom(const Statement& statement, Notes& notes) {
  From from{{statement.base}};
  const std::vector<std::string> words = SplitAtBlanks(statement.rest);
  const bool has_name = words.size() == 3 && absl::EqualsIgnoreCase(words[1], "as");
  if (words.size() != 1 && !has_name) {
    return absl::InvalidArgumentError("FROM requires either one or three arguments; write FROM <image> or FROM <image> AS <name>");
  }
  from.image = words[0];
  from.platform = statement.flags.Get("platform");
  if (!has_name) return from;
  from.name = absl::AsciiStrToLower(words[2]);
  if (!IsStageName(from.name)) {
    return absl::InvalidArgumentError(absl::StrCat("invalid name for build stage: \"", words[2],
                                                   "\", name can't start with a number or contain symbols; "
                                                   "use letters, digits, '-', '_' and '.'"));
  }
  notes.as_keyword = words[1];
  notes.stage_name = words[2];
  return from;
}

absl::StatusOr<Instruction> ParseArg(const Statement& statement, Notes& notes) {
  Arg arg{{statement.base}};
  for (const std::string& word : SplitQuoted(statement.rest, statement.escape)) {
    const size_t equals = word.find('=');
    ArgEntry entry{.name = word.substr(0, equals)};
    if (entry.name.empty()) return absl::InvalidArgumentError(absl::StrCat("ARG names can not be blank in \"", word, "\""));
    if (equals != std::string::npos) entry.default_value = word.substr(equals + 1);
    arg.args.push_back(std::move(entry));
  }
  if (arg.args.empty()) return RequiresAtLeastOne(statement);
  return arg;
}

absl::StatusOr<Instruction> ParseOnbuild(const Statement& statement, Notes& notes) {
  const FirstWord trigger = CutFirstWord(statement.rest);
  if (trigger.word.empty()) return RequiresAtLeastOne(statement);
  Statement inner = statement;
  inner.keyword = absl::AsciiStrToUpper(trigger.word);
  if (inner.keyword == "ONBUILD") {
    return absl::InvalidArgumentError("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed; write ONBUILD once");
  }
  if (inner.keyword == "FROM" || inner.keyword == "MAINTAINER") {
    return absl::InvalidArgumentError(absl::StrCat(inner.keyword, " isn't allowed as an ONBUILD trigger"));
  }
  const InstructionSpec* spec = FindInstruction(inner.keyword);
  if (spec == nullptr) return absl::InvalidArgumentError(UnknownInstruction(trigger.word));
  absl::string_view rest = trigger.rest;
  STRATA_ASSIGN_OR_RETURN(inner.flags, Flags::Parse(TakeFlags(rest, statement.escape), spec->flags));
  inner.rest = std::string(rest);
  Notes ignored;
  STRATA_RETURN_IF_ERROR(spec->parse(inner, ignored).status());

  Onbuild onbuild{{statement.base}, statement.rest};
  for (const Heredoc& heredoc : statement.heredocs) absl::StrAppend(&onbuild.trigger, "\n", heredoc.content, heredoc.name);
  return onbuild;
}

}  // namespace strata::dockerfile
