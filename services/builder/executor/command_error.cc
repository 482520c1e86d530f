#include "services/builder/executor/command_error.h"

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace strata::executor {
namespace {

bool Mentions(absl::string_view text, absl::string_view part) { return absl::StrContains(absl::AsciiStrToLower(text), part); }

absl::Status CannotRun(absl::string_view command, absl::string_view why) {
  const absl::string_view shown = command.substr(0, 200);
  if (Mentions(why, "exec format error")) {
    return absl::InvalidArgumentError(
        absl::StrCat("command \"", shown, "\" cannot be executed: it is for another processor, or a script without #! line"));
  }
  if (Mentions(why, "missing dynamic library")) {
    return absl::InvalidArgumentError(absl::StrCat("command \"", shown, "\" cannot be executed: the interpreter or dynamic loader it names is not in the image"));
  }
  if (Mentions(why, "not found") || Mentions(why, "no such file")) {
    return absl::InvalidArgumentError(absl::StrCat("command \"", shown, "\" was not found in the image"));
  }
  return absl::InvalidArgumentError(absl::StrCat("command \"", shown, "\" is not an executable file in the image"));
}

}  // namespace

absl::Status CommandError(absl::string_view command, int exit_code, absl::string_view runtime_error, absl::string_view error_output) {
  // What runtimes exit with when they fail; any other code is the command's.
  if (exit_code != 1 && exit_code != 255 && exit_code != 126 && exit_code != 127) return absl::OkStatus();
  for (const absl::string_view start : {"executable file", "open executable", "find executable"}) {
    if (Mentions(runtime_error, start)) return CannotRun(command, runtime_error);
  }
  if (Mentions(runtime_error, "exec: \"")) return CannotRun(command, runtime_error);
  if (!runtime_error.empty()) return absl::InternalError(absl::StrCat("the container runtime failed: ", runtime_error.substr(0, 1000)));

  // The last moment before the command takes over: the log is closed by then, and the runtime complains on standard error.
  const absl::string_view said = absl::StripAsciiWhitespace(error_output);
  const bool by_crun = absl::StartsWith(said, "{\"msg\":\"exec container process");
  const bool by_runc = absl::StartsWith(said, absl::StrCat("exec ", command, ": ")) && !absl::StrContains(said, '\n');
  if (by_crun || by_runc) return CannotRun(command, said);
  return absl::OkStatus();
}

}  // namespace strata::executor
