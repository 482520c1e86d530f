#include "cli/commands/store/group.h"

#include "absl/strings/str_cat.h"
#include "cli/exit_code.h"
#include "lib/base/status.h"
#include "lib/config/nearest.h"
#include "lib/config/parser.h"

namespace strata::cli {
namespace {

absl::Status Unknown(const std::string& group, const std::string& name, const std::vector<Subcommand>& commands) {
  std::vector<std::string> names;
  for (const Subcommand& command : commands) names.push_back(command.name);
  const std::string near = config::Nearest(name, names);
  return UsageError(absl::StrCat("there is no command \"", group, " ", name, "\"; ",
                                 near.empty() ? absl::StrCat("strata ", group, " --help lists them") : absl::StrCat("did you mean \"", group, " ", near, "\"?")));
}

}  // namespace

absl::Status RunGroup(Invocation& invocation, const std::string& name, const std::string& about, const std::vector<Subcommand>& commands) {
  const std::string program = absl::StrCat("strata ", name);
  config::Parser parser(program, about);
  parser.SetUsage("[flags] COMMAND ...");
  for (const Subcommand& command : commands) parser.AddCommand(command.name, command.summary);
  parser.SetEpilogue(absl::StrCat(program, " COMMAND --help shows the flags of a command."));
  parser.StopAtFirstPositional();
  AddGlobalFlags(parser, invocation.options, /*with_sources=*/false);
  auto parsed = parser.Parse(invocation.arguments);
  if (!parsed.ok()) return UsageError(absl::StrCat(parsed.status().message(), " (see ", program, " --help)"));
  const std::vector<std::string>& words = parsed->positional;
  if (parsed->wants_help || words.empty()) return invocation.Print(parser.Help());
  for (const Subcommand& command : commands) {
    if (words[0] != command.name) continue;
    invocation.arguments.assign(words.begin() + 1, words.end());
    return command.run(invocation);
  }
  return Unknown(name, words[0], commands);
}

}  // namespace strata::cli
