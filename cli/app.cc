#include "cli/app.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "cli/commands/commands.h"
#include "cli/output/human.h"
#include "lib/base/status.h"
#include "lib/config/nearest.h"
#include "lib/config/parser.h"

namespace strata::cli {
namespace {

constexpr char kEpilogue[] =
    "To get going:\n"
    "  strata build -t app:1 .     build the folder, name the result\n"
    "  strata images               see it\n"
    "  strata COMMAND --help       the flags of a command\n"
    "\n"
    "Results go to standard output, progress and hints to standard error. Exit codes:\n"
    "  0    done\n"
    "  1    the operation failed\n"
    "  2    wrong usage: command line, environment or configuration file\n"
    "  3    the builder, or a service behind it, is not reachable\n"
    "  4    an image, file or folder was not found\n"
    "  5    a build failed because of the Dockerfile or a RUN\n"
    "  6    a store is not sound\n"
    "  130  interrupted";

config::Parser MakeParser(Environment& environment, GlobalOptions& options) {
  config::Parser parser("strata", "Builds container images on a Strata builder and manages the images of its store.");
  parser.SetUsage("[flags] COMMAND ...");
  for (const Command& command : AllCommands()) parser.AddCommand(command.name, command.summary);
  parser.AddCommand("help", "Show the help of a command.");
  parser.SetEpilogue(kEpilogue);
  parser.StopAtFirstPositional();
  parser.SetEnvironment(environment.get_variable);
  const std::string config_home = environment.Variable("XDG_CONFIG_HOME");
  const std::string home = environment.Variable("HOME");
  std::string config_file;
  if (!config_home.empty()) {
    config_file = absl::StrCat(config_home, "/strata/config");
  } else if (!home.empty()) {
    config_file = absl::StrCat(home, "/.config/strata/config");
  }
  parser.AddConfigFile("STRATA_CONFIG", config_file);
  AddGlobalFlags(parser, options, /*with_sources=*/true);
  return parser;
}

const Command* FindCommand(const std::string& name) {
  for (const Command& command : AllCommands()) {
    if (name == command.name) return &command;
  }
  return nullptr;
}

absl::Status UnknownCommand(const std::string& name) {
  std::vector<std::string> names = {"help"};
  for (const Command& command : AllCommands()) names.push_back(command.name);
  const std::string near = config::Nearest(name, names);
  return UsageError(absl::StrCat("there is no command \"", name, "\"; ", near.empty() ? "strata help lists them" : absl::StrCat("did you mean \"", near, "\"?")));
}

absl::Status Dispatch(const std::vector<std::string>& arguments, Environment& environment) {
  Invocation invocation = {.environment = environment, .options = {}, .arguments = {}};
  config::Parser parser = MakeParser(environment, invocation.options);
  auto parsed = parser.Parse(arguments);
  if (!parsed.ok()) return UsageError(parsed.status().message());
  std::vector<std::string> words = std::move(parsed->positional);
  if (parsed->wants_version) words = {"version"};
  const bool is_help = !words.empty() && words[0] == "help";
  if (parsed->wants_help || words.empty() || (is_help && words.size() == 1)) return invocation.Print(parser.Help());
  // "help build" is "build --help".
  if (is_help) words = {words[1], "--help"};
  const Command* command = FindCommand(words[0]);
  if (command == nullptr) return UnknownCommand(words[0]);
  invocation.arguments.assign(words.begin() + 1, words.end());
  return command->run(invocation);
}

// Messages quote what commands printed and files are called: nothing of it may control the terminal.
std::string ForTerminal(absl::string_view message) {
  std::vector<std::string> lines;
  for (const absl::string_view line : absl::StrSplit(message, '\n')) lines.push_back(CleanLine(line, false));
  return absl::StrJoin(lines, "\n");
}

}  // namespace

ExitCode RunApp(const std::vector<std::string>& arguments, Environment& environment) {
  const absl::Status status = Dispatch(arguments, environment);
  if (status.ok()) return ExitCode::kOk;
  if (environment.interrupted.cancelled()) {
    environment.error.Write("strata: interrupted\n").IgnoreError();
    return ExitCode::kInterrupted;
  }
  environment.error.Write(absl::StrCat("strata: ", ForTerminal(status.message()), "\n")).IgnoreError();
  const ExitCode code = ExitCodeOf(status);
  // Somebody else cancelled: a builder that is being shut down.
  return code == ExitCode::kInterrupted ? ExitCode::kFailed : code;
}

}  // namespace strata::cli
