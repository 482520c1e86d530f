#include "services/builder/dockerfile/statement.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/builder/dockerfile/json_array.h"
#include "services/builder/dockerfile/suggest.h"
#include "services/builder/dockerfile/words.h"

namespace strata::dockerfile {
namespace {

using Kind = FlagSpec::Kind;

const std::vector<InstructionSpec>& Table() {
  static const auto& table = *new std::vector<InstructionSpec>{
      {"FROM", {{"platform"}}, false, ParseFrom},
      {"ARG", {}, false, ParseArg},
      {"RUN",
       {{"mount", Kind::kRepeated}, {"network"}, {"security"}, {"device", Kind::kRepeated}},
       true,
       ParseRun},
      {"CMD", {}, false, ParseCmd},
      {"ENTRYPOINT", {}, false, ParseEntrypoint},
      {"LABEL", {}, false, ParseLabel},
      {"MAINTAINER", {}, false, ParseMaintainer},
      {"EXPOSE", {}, false, ParseExpose},
      {"ENV", {}, false, ParseEnv},
      {"ADD",
       {{"chown"},
        {"chmod"},
        {"link", Kind::kBool},
        {"exclude", Kind::kRepeated},
        {"keep-git-dir", Kind::kBool},
        {"checksum"},
        {"unpack", Kind::kBool}},
       true,
       ParseAdd},
      {"COPY",
       {{"from"}, {"chown"}, {"chmod"}, {"link", Kind::kBool}, {"parents", Kind::kBool}, {"exclude", Kind::kRepeated}},
       true,
       ParseCopy},
      {"VOLUME", {}, false, ParseVolume},
      {"USER", {}, false, ParseUser},
      {"WORKDIR", {}, false, ParseWorkdir},
      // Its flags belong to the trigger, which parses them itself.
      {"ONBUILD", {}, true, ParseOnbuild},
      {"STOPSIGNAL", {}, false, ParseStopsignal},
      {"HEALTHCHECK",
       {{"interval"}, {"timeout"}, {"start-period"}, {"start-interval"}, {"retries"}},
       false,
       ParseHealthcheck},
      {"SHELL", {}, false, ParseShell},
  };
  return table;
}

constexpr absl::string_view kNotOnlyStrings =
    "when using JSON array syntax, arrays must be comprised of strings only; put double quotes around each element";

}  // namespace

const InstructionSpec* FindInstruction(absl::string_view keyword) {
  for (const InstructionSpec& spec : Table()) {
    if (spec.keyword == keyword) return &spec;
  }
  return nullptr;
}

std::string UnknownInstruction(absl::string_view written) {
  std::vector<std::string> names;
  for (const InstructionSpec& spec : Table()) names.emplace_back(spec.keyword);
  const std::string nearest = Nearest(written, names);
  const std::string hint = nearest.empty() ? "; is it the rest of a line above that lacks its continuation character?"
                                           : absl::StrCat(" (did you mean ", nearest, "?)");
  return absl::StrCat("unknown instruction: ", absl::CHexEscape(written.substr(0, 80)), hint);
}

absl::StatusOr<Command> ParseCommand(absl::string_view text) {
  JsonArray array = ReadJsonArray(text);
  if (array.kind == JsonArray::Kind::kMixed) return absl::InvalidArgumentError(kNotOnlyStrings);
  if (array.kind == JsonArray::Kind::kStrings) return Command{.is_shell = false, .args = std::move(array.strings)};
  Command command{.is_shell = true};
  if (!text.empty()) command.args.emplace_back(text);
  return command;
}

absl::StatusOr<std::vector<std::string>> ParseList(absl::string_view text) {
  JsonArray array = ReadJsonArray(text);
  if (array.kind == JsonArray::Kind::kMixed) return absl::InvalidArgumentError(kNotOnlyStrings);
  if (array.kind == JsonArray::Kind::kStrings) return std::move(array.strings);
  return SplitAtBlanks(text);
}

absl::Status RequiresAtLeastOne(const Statement& statement) {
  return absl::InvalidArgumentError(absl::StrCat(statement.keyword, " requires at least one argument"));
}

absl::Status RequiresExactlyOne(const Statement& statement) {
  return absl::InvalidArgumentError(absl::StrCat(statement.keyword, " requires exactly one argument"));
}

}  // namespace strata::dockerfile
