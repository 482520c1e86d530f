#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/commands/store/store_commands.h"
#include "cli/exit_code.h"
#include "lib/base/status.h"
#include "lib/config/nearest.h"
#include "lib/config/parser.h"

namespace strata::cli {
namespace {

struct Subcommand {
  const char* name;
  const char* summary;
  absl::Status (*run)(Invocation& invocation);
};

constexpr Subcommand kSubcommands[] = {
    {"stat", "Show what the store holds and how it is.", RunStoreStat},
    {"gc", "Remove what nothing refers to, now.", RunStoreGc},
    {"prune-cache", "Remove build-cache records by last use.", RunStorePruneCache},
};

absl::Status Unknown(const std::string& name) {
  std::vector<std::string> names;
  for (const Subcommand& command : kSubcommands) names.push_back(command.name);
  const std::string near = config::Nearest(name, names);
  return UsageError(absl::StrCat("there is no command \"store ", name, "\"; ",
                                 near.empty() ? "strata store --help lists them" : absl::StrCat("did you mean \"store ", near, "\"?")));
}

}  // namespace

absl::Status RunStore(Invocation& invocation) {
  config::Parser parser("strata store", "Looks after a store. Every command talks to the store at --store, or STRATA_STORE.");
  parser.SetUsage("[flags] COMMAND ...");
  for (const Subcommand& command : kSubcommands) parser.AddCommand(command.name, command.summary);
  parser.SetEpilogue("strata store COMMAND --help shows the flags of a command.");
  parser.StopAtFirstPositional();
  AddGlobalFlags(parser, invocation.options, /*with_sources=*/false);
  auto parsed = parser.Parse(invocation.arguments);
  if (!parsed.ok()) return UsageError(absl::StrCat(parsed.status().message(), " (see strata store --help)"));
  const std::vector<std::string>& words = parsed->positional;
  if (parsed->wants_help || words.empty()) return invocation.Print(parser.Help());
  for (const Subcommand& command : kSubcommands) {
    if (words[0] != command.name) continue;
    invocation.arguments.assign(words.begin() + 1, words.end());
    return command.run(invocation);
  }
  return Unknown(words[0]);
}

}  // namespace strata::cli
