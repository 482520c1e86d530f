// The instructions that change only the image config.
#include <algorithm>
#include <type_traits>
#include <variant>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/base/status.h"
#include "services/builder/dockerfile/expand.h"
#include "services/builder/dockerfile/signal.h"
#include "services/builder/frontend/history_text.h"
#include "services/builder/frontend/stage_state.h"

namespace strata::frontend {

namespace {

constexpr int kMaxExposedPorts = 65536;

std::vector<std::string> CommandLine(const StageState& stage, const dockerfile::Command& command) {
  if (!command.is_shell) return command.args;
  std::vector<std::string> line = ShellOf(stage);
  line.insert(line.end(), command.args.begin(), command.args.end());
  return line;
}

absl::Status Apply(StageState& stage, StageContext& context, const dockerfile::Arg& arg) {
  std::string created_by = "ARG";
  for (const dockerfile::ArgEntry& entry : arg.args) {
    STRATA_ASSIGN_OR_RETURN(const std::string name, Expand(stage, context, entry.name));
    std::optional<std::string> fallback;
    if (entry.default_value) {
      STRATA_ASSIGN_OR_RETURN(fallback, Expand(stage, context, *entry.default_value));
    }
    const std::optional<std::string> value = context.ArgumentValue(name, fallback);
    if (std::find(stage.arguments.begin(), stage.arguments.end(), name) == stage.arguments.end()) {
      stage.arguments.push_back(name);
    }
    absl::StrAppend(&created_by, " ", name, value ? absl::StrCat("=", *value) : "");
    if (value) stage.variables.Set(name, *value);
  }
  AddHistory(stage, created_by, true);
  return absl::OkStatus();
}

absl::Status Apply(StageState& stage, StageContext& context, const dockerfile::Env& env) {
  std::vector<std::pair<std::string, std::string>> expanded;
  for (const dockerfile::KeyValue& variable : env.variables) {
    STRATA_ASSIGN_OR_RETURN(std::string key, Expand(stage, context, variable.key));
    STRATA_ASSIGN_OR_RETURN(std::string value, Expand(stage, context, variable.value));
    if (key.empty()) return absl::InvalidArgumentError("ENV names can not be blank");
    expanded.emplace_back(std::move(key), std::move(value));
  }
  std::string created_by = "ENV";
  for (const auto& [key, value] : expanded) {
    stage.variables.Set(key, value);
    stage.config.SetEnv(key, value);
    absl::StrAppend(&created_by, " ", key, "=", value);
  }
  AddHistory(stage, created_by, true);
  return absl::OkStatus();
}

absl::Status Apply(StageState& stage, StageContext& context, const dockerfile::Label& label) {
  std::map<std::string, std::string> expanded;
  std::string created_by = "LABEL";
  for (const dockerfile::KeyValue& entry : label.labels) {
    STRATA_ASSIGN_OR_RETURN(const std::string key, Expand(stage, context, entry.key));
    STRATA_ASSIGN_OR_RETURN(const std::string value, Expand(stage, context, entry.value));
    expanded[key] = value;
    absl::StrAppend(&created_by, " ", key, "=", value);
  }
  for (const auto& [key, value] : expanded) stage.config.labels[key] = value;
  AddHistory(stage, created_by, true);
  return absl::OkStatus();
}

absl::Status Apply(StageState& stage, StageContext&, const dockerfile::Maintainer& maintainer) {
  stage.config.author = maintainer.author;
  AddHistory(stage, absl::StrCat("MAINTAINER ", maintainer.author), true);
  return absl::OkStatus();
}

absl::Status Apply(StageState& stage, StageContext&, const dockerfile::Cmd& cmd) {
  stage.config.cmd = CommandLine(stage, cmd.command);
  stage.config.args_escaped = true;
  stage.cmd_set = true;
  AddHistory(stage, absl::StrCat("CMD ", QuotedList(*stage.config.cmd)), true);
  return absl::OkStatus();
}

absl::Status Apply(StageState& stage, StageContext&, const dockerfile::Entrypoint& entrypoint) {
  stage.config.entrypoint = CommandLine(stage, entrypoint.command);
  if (!stage.cmd_set) stage.config.cmd.reset();
  AddHistory(stage, absl::StrCat("ENTRYPOINT ", QuotedList(*stage.config.entrypoint)), true);
  return absl::OkStatus();
}

// "[ip:][host:]container[-end][/protocol]" -> "container/protocol", one for each port of a range.
absl::Status ExposePort(absl::string_view word, std::set<std::string>& ports) {
  const std::vector<absl::string_view> halves = absl::StrSplit(word, absl::MaxSplits('/', 1));
  const std::string protocol = halves.size() == 2 ? absl::AsciiStrToLower(halves[1]) : "tcp";
  const absl::string_view range = halves[0].substr(halves[0].rfind(':') == absl::string_view::npos ? 0 : halves[0].rfind(':') + 1);
  const std::vector<absl::string_view> ends = absl::StrSplit(range, absl::MaxSplits('-', 1));
  int first = 0;
  int last = 0;
  const bool good = absl::SimpleAtoi(ends[0], &first) && absl::SimpleAtoi(ends.back(), &last) && first >= 0 && last >= first &&
                    last < kMaxExposedPorts && (protocol == "tcp" || protocol == "udp" || protocol == "sctp");
  if (!good) {
    return absl::InvalidArgumentError(
        absl::StrCat("invalid EXPOSE port \"", word.substr(0, 80), "\"; write port[-port][/tcp|/udp|/sctp]"));
  }
  for (int port = first; port <= last; ++port) ports.insert(absl::StrCat(port, "/", protocol));
  return absl::OkStatus();
}

absl::Status Apply(StageState& stage, StageContext& context, const dockerfile::Expose& expose) {
  const auto lookup = [&stage](absl::string_view name) { return stage.variables.Get(name); };
  std::set<std::string> ports;
  for (const std::string& words : expose.ports) {
    STRATA_ASSIGN_OR_RETURN(const auto expanded, dockerfile::ExpandWords(words, lookup, {.escape = context.escape()}));
    for (const std::string& word : expanded) STRATA_RETURN_IF_ERROR(ExposePort(word, ports));
  }
  stage.config.exposed_ports.insert(ports.begin(), ports.end());
  std::string created_by = "EXPOSE [";
  for (const std::string& port : ports) absl::StrAppend(&created_by, created_by.back() == '[' ? "" : " ", port);
  AddHistory(stage, absl::StrCat(created_by, "]"), true);
  return absl::OkStatus();
}

absl::Status Apply(StageState& stage, StageContext& context, const dockerfile::Volume& volume) {
  std::string created_by = "VOLUME [";
  for (const std::string& word : volume.paths) {
    STRATA_ASSIGN_OR_RETURN(const std::string path, Expand(stage, context, word));
    if (absl::StripAsciiWhitespace(path).empty()) return absl::InvalidArgumentError("VOLUME specified can not be an empty string");
    stage.config.volumes.insert(path);
    absl::StrAppend(&created_by, created_by.back() == '[' ? "" : " ", path);
  }
  AddHistory(stage, absl::StrCat(created_by, "]"), true);
  return absl::OkStatus();
}

absl::Status Apply(StageState& stage, StageContext& context, const dockerfile::User& user) {
  STRATA_ASSIGN_OR_RETURN(stage.config.user, Expand(stage, context, user.user));
  AddHistory(stage, absl::StrCat("USER ", stage.config.user), true);
  return absl::OkStatus();
}

absl::Status Apply(StageState& stage, StageContext&, const dockerfile::Onbuild& onbuild) {
  stage.config.on_build.push_back(onbuild.trigger);
  return absl::OkStatus();
}

absl::Status Apply(StageState& stage, StageContext& context, const dockerfile::Stopsignal& stopsignal) {
  STRATA_ASSIGN_OR_RETURN(const std::string signal, Expand(stage, context, stopsignal.signal));
  STRATA_RETURN_IF_ERROR(dockerfile::ParseSignal(signal).status());
  stage.config.stop_signal = signal;
  AddHistory(stage, absl::StrCat("STOPSIGNAL ", signal), true);
  return absl::OkStatus();
}

absl::Status Apply(StageState& stage, StageContext&, const dockerfile::Healthcheck& healthcheck) {
  oci::Healthcheck check;
  if (healthcheck.is_none) {
    check.test = {"NONE"};
  } else {
    check.test = {healthcheck.command.is_shell ? "CMD-SHELL" : "CMD"};
    check.test.insert(check.test.end(), healthcheck.command.args.begin(), healthcheck.command.args.end());
    check.interval_ns = absl::ToInt64Nanoseconds(healthcheck.interval);
    check.timeout_ns = absl::ToInt64Nanoseconds(healthcheck.timeout);
    check.start_period_ns = absl::ToInt64Nanoseconds(healthcheck.start_period);
    check.start_interval_ns = absl::ToInt64Nanoseconds(healthcheck.start_interval);
    check.retries = healthcheck.retries;
  }
  AddHistory(stage, absl::StrCat("HEALTHCHECK ", HealthcheckText(check)), true);
  stage.config.healthcheck = std::move(check);
  return absl::OkStatus();
}

absl::Status Apply(StageState& stage, StageContext&, const dockerfile::Shell& shell) {
  stage.config.shell = shell.args;
  AddHistory(stage, absl::StrCat("SHELL ", PlainList(shell.args)), true);
  return absl::OkStatus();
}

}  // namespace

absl::Status ApplyConfig(StageState& stage, StageContext& context, const dockerfile::Instruction& instruction) {
  return std::visit(
      [&](const auto& concrete) -> absl::Status {
        using T = std::decay_t<decltype(concrete)>;
        if constexpr (std::is_same_v<T, dockerfile::From> || std::is_same_v<T, dockerfile::Run> ||
                      std::is_same_v<T, dockerfile::Copy> || std::is_same_v<T, dockerfile::Add> ||
                      std::is_same_v<T, dockerfile::Workdir>) {
          return absl::InternalError("not a config instruction");
        } else {
          return Apply(stage, context, concrete);
        }
      },
      instruction);
}

}  // namespace strata::frontend
