// RUN, CMD, ENTRYPOINT, HEALTHCHECK and SHELL: what holds a command.
#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "services/builder/dockerfile/json_array.h"
#include "services/builder/dockerfile/statement.h"
#include "services/builder/dockerfile/words.h"

namespace strata::dockerfile {
namespace {

absl::StatusOr<NetworkMode> ParseNetwork(absl::string_view text) {
  if (text.empty() || text == "default") return NetworkMode::kDefault;
  if (text == "none") return NetworkMode::kNone;
  if (text == "host") return NetworkMode::kHost;
  return absl::InvalidArgumentError(absl::StrCat("invalid network mode \"", text, "\"; use default, none or host"));
}

absl::StatusOr<SecurityMode> ParseSecurity(absl::string_view text) {
  if (text.empty() || text == "sandbox") return SecurityMode::kSandbox;
  if (text == "insecure") return SecurityMode::kInsecure;
  return absl::InvalidArgumentError(absl::StrCat("security \"", text, "\" is not valid; use sandbox or insecure"));
}

// The command is one word and that word is nothing but `<<NAME`.
bool IsHeredocOnly(const Statement& statement) {
  if (statement.heredocs.size() != 1 || !absl::StartsWith(statement.rest, "<<")) return false;
  return SplitQuoted(statement.rest, statement.escape).size() == 1 &&
         statement.rest.find_first_of("|&;()<>", 2) == std::string::npos;
}

// Go's duration syntax: "30s", "1m30s"; zero means "not given".
absl::StatusOr<absl::Duration> DurationFlag(const Flags& flags, absl::string_view name) {
  if (!flags.Has(name)) return absl::ZeroDuration();
  const std::string text = flags.Get(name);
  absl::Duration duration;
  if (!absl::ParseDuration(text, &duration) || duration == absl::InfiniteDuration() || duration == -absl::InfiniteDuration()) {
    return absl::InvalidArgumentError(
        absl::StrCat("invalid duration \"", text, "\" in --", name, "; write it with its unit, such as 30s or 1m30s"));
  }
  if (duration != absl::ZeroDuration() && duration < absl::Milliseconds(1)) {
    return absl::InvalidArgumentError(absl::StrCat("Interval \"", name, "\" cannot be less than 1ms"));
  }
  return duration;
}

absl::StatusOr<int> Retries(const Flags& flags) {
  int retries = 0;
  const std::string text = flags.Get("retries");
  if (text.empty()) return 0;
  if (!absl::SimpleAtoi(text, &retries)) {
    return absl::InvalidArgumentError(absl::StrCat("invalid --retries \"", text, "\"; use a number"));
  }
  if (retries < 0) return absl::InvalidArgumentError(absl::StrCat("--retries cannot be negative (", retries, ")"));
  return retries;
}

}  // namespace

absl::StatusOr<Instruction> ParseRun(const Statement& statement, Notes& notes) {
  Run run{{statement.base}};
  STRATA_ASSIGN_OR_RETURN(run.command, ParseCommand(statement.rest));
  if (run.command.args.empty()) return RequiresAtLeastOne(statement);
  if (run.command.is_shell) {
    run.heredocs = statement.heredocs;
    run.is_heredoc_only = IsHeredocOnly(statement);
  }
  for (const std::string& text : statement.flags.GetAll("mount")) {
    absl::StatusOr<Mount> mount = ParseMount(text);
    if (!mount.ok()) return Annotate(mount.status(), absl::StrCat("RUN --mount=", text.substr(0, 80)));
    run.mounts.push_back(*std::move(mount));
  }
  STRATA_ASSIGN_OR_RETURN(run.network, ParseNetwork(statement.flags.Get("network")));
  STRATA_ASSIGN_OR_RETURN(run.security, ParseSecurity(statement.flags.Get("security")));
  run.devices = statement.flags.GetAll("device");
  return run;
}

absl::StatusOr<Instruction> ParseCmd(const Statement& statement, Notes& notes) {
  if (statement.rest.empty()) return RequiresAtLeastOne(statement);
  Cmd cmd{{statement.base}};
  STRATA_ASSIGN_OR_RETURN(cmd.command, ParseCommand(statement.rest));
  return cmd;
}

absl::StatusOr<Instruction> ParseEntrypoint(const Statement& statement, Notes& notes) {
  if (statement.rest.empty()) return RequiresAtLeastOne(statement);
  Entrypoint entrypoint{{statement.base}};
  STRATA_ASSIGN_OR_RETURN(entrypoint.command, ParseCommand(statement.rest));
  return entrypoint;
}

absl::StatusOr<Instruction> ParseHealthcheck(const Statement& statement, Notes& notes) {
  const FirstWord type = CutFirstWord(statement.rest);
  if (type.word.empty()) return RequiresAtLeastOne(statement);
  Healthcheck check{{statement.base}};
  if (absl::EqualsIgnoreCase(type.word, "NONE")) {
    if (!type.rest.empty()) return absl::InvalidArgumentError("HEALTHCHECK NONE takes no arguments");
    check.is_none = true;
    return check;
  }
  if (!absl::EqualsIgnoreCase(type.word, "CMD")) {
    return absl::InvalidArgumentError(absl::StrCat("Unknown type \"", absl::AsciiStrToUpper(type.word.substr(0, 80)),
                                                   "\" in HEALTHCHECK (try CMD)"));
  }
  STRATA_ASSIGN_OR_RETURN(check.command, ParseCommand(type.rest));
  if (check.command.args.empty()) return absl::InvalidArgumentError("Missing command after HEALTHCHECK CMD");
  STRATA_ASSIGN_OR_RETURN(check.interval, DurationFlag(statement.flags, "interval"));
  STRATA_ASSIGN_OR_RETURN(check.timeout, DurationFlag(statement.flags, "timeout"));
  STRATA_ASSIGN_OR_RETURN(check.start_period, DurationFlag(statement.flags, "start-period"));
  STRATA_ASSIGN_OR_RETURN(check.start_interval, DurationFlag(statement.flags, "start-interval"));
  STRATA_ASSIGN_OR_RETURN(check.retries, Retries(statement.flags));
  return check;
}

absl::StatusOr<Instruction> ParseShell(const Statement& statement, Notes& notes) {
  STRATA_ASSIGN_OR_RETURN(Command command, ParseCommand(statement.rest));
  if (command.is_shell) {
    return absl::InvalidArgumentError("SHELL requires the arguments to be in JSON form, such as SHELL [\"/bin/bash\", \"-c\"]");
  }
  if (command.args.empty()) return RequiresAtLeastOne(statement);
  return Shell{{statement.base}, std::move(command.args)};
}

}  // namespace strata::dockerfile
