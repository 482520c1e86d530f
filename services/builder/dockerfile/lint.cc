#include "services/builder/dockerfile/lint.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace strata::dockerfile {
namespace {

bool HoldsVariable(absl::string_view text) { return absl::StrContains(text, '$'); }

absl::string_view TrimQuotes(absl::string_view text) {
  while (!text.empty() && (text.front() == '"' || text.front() == '\'')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == '"' || text.back() == '\'')) text.remove_suffix(1);
  return text;
}

bool IsAbsolute(absl::string_view path) {
  path = TrimQuotes(path);
  const bool has_drive = path.size() > 1 && absl::ascii_isalpha(path[0]) && path[1] == ':';
  return absl::StartsWith(path, "/") || absl::StartsWith(path, "\\") || has_drive;
}

// Words are what stands between '_' and '-': AWS_SECRET_KEY has three, and two of them are telling.
bool NamesSecret(absl::string_view name) {
  static const auto& secret = *new absl::flat_hash_set<absl::string_view>{
      "apikey", "auth", "credential", "credentials", "key", "password", "pword", "passwd", "secret", "token"};
  static const auto& harmless = *new absl::flat_hash_set<absl::string_view>{"public", "file", "version"};
  bool is_secret = false;
  const std::string lower = absl::AsciiStrToLower(TrimQuotes(name));
  for (const absl::string_view word : absl::StrSplit(lower, absl::ByAnyChar("_-"))) {
    if (harmless.contains(word)) return false;
    is_secret = is_secret || secret.contains(word);
  }
  return is_secret;
}

bool IsUpper(absl::string_view text) { return text == absl::AsciiStrToUpper(text); }
bool IsLower(absl::string_view text) { return text == absl::AsciiStrToLower(text); }

class Linter {
 public:
  std::vector<Warning> Run(const std::vector<NotedInstruction>& instructions) {
    for (const NotedInstruction& noted : instructions) {
      range_ = Base(noted.instruction).range;
      for (const int line : noted.notes.empty_lines) {
        warnings_.push_back({"NoEmptyContinuation", "Empty continuation line; remove it or put # on it", {line, line}});
      }
      std::visit([&](const auto& typed) { Visit(typed, noted.notes); }, noted.instruction);
    }
    Casing(instructions);
    std::stable_sort(warnings_.begin(), warnings_.end(), [](const Warning& a, const Warning& b) {
      return a.range.first_line < b.range.first_line;
    });
    return std::move(warnings_);
  }

 private:
  template <typename... Parts>
  void Warn(absl::string_view rule, const Parts&... parts) {
    warnings_.push_back({std::string(rule), absl::StrCat(parts...), range_});
  }

  void Visit(const From& from, const Notes& notes) {
    last_of_.clear();
    has_shell_ = false;
    const auto parent = has_absolute_workdir_by_stage_.find(absl::AsciiStrToLower(from.image));
    has_absolute_workdir_ = parent != has_absolute_workdir_by_stage_.end() && parent->second;
    stage_name_ = from.name;
    Platform(from);
    if (from.name.empty()) return;
    if (!IsLower(notes.stage_name)) Warn("StageNameCasing", "Stage name '", notes.stage_name, "' should be lowercase");
    if (IsUpper(notes.as_keyword) != IsUpper(notes.keyword) || IsLower(notes.as_keyword) != IsLower(notes.keyword)) {
      Warn("FromAsCasing", "'", notes.as_keyword, "' and '", notes.keyword, "' keywords' casing do not match");
    }
    if (from.name == "scratch" || from.name == "context") {
      Warn("ReservedStageName", "Stage name should not use the same name as reserved stage '", from.name, "'");
    }
    if (!stage_names_.insert(from.name).second) {
      Warn("DuplicateStageName", "Duplicate stage name '", from.name, "', stage names should be unique");
    }
    has_absolute_workdir_by_stage_[stage_name_] = has_absolute_workdir_;
  }

  void Platform(const From& from) {
    if (from.platform.empty()) return;
    if (from.platform == "$TARGETPLATFORM" || from.platform == "${TARGETPLATFORM}") {
      Warn("RedundantTargetPlatform", "Setting platform to predefined ", from.platform,
           " in FROM is redundant as this is the default behavior");
    } else if (!HoldsVariable(from.platform) && !NamesPlatform(from)) {
      Warn("FromPlatformFlagConstDisallowed", "FROM --platform flag should not use constant value \"", from.platform, "\"");
    }
  }

  // A stage called "build-arm64" says that its platform is meant.
  static bool NamesPlatform(const From& from) {
    for (const absl::string_view part : absl::StrSplit(absl::AsciiStrToLower(from.platform), '/', absl::SkipEmpty())) {
      if (absl::StrContains(from.name, part)) return true;
    }
    return false;
  }

  void Visit(const Arg& arg, const Notes&) {
    for (const ArgEntry& entry : arg.args) Secret("ARG", entry.name);
  }
  void Visit(const Env& env, const Notes& notes) {
    for (const KeyValue& pair : env.variables) Secret("ENV", pair.key);
    if (notes.is_legacy_key_value) Legacy("ENV");
  }
  void Visit(const Label&, const Notes& notes) {
    if (notes.is_legacy_key_value) Legacy("LABEL");
  }
  void Secret(absl::string_view keyword, absl::string_view name) {
    if (!NamesSecret(name)) return;
    Warn("SecretsUsedInArgOrEnv", "Do not use ARG or ENV instructions for sensitive data (", keyword, " \"", TrimQuotes(name), "\")");
  }
  void Legacy(absl::string_view keyword) {
    Warn("LegacyKeyValueFormat", "\"", keyword, " key=value\" should be used instead of legacy \"", keyword, " key value\" format");
  }

  void Visit(const Cmd& cmd, const Notes&) {
    OnlyLastCounts("CMD");
    RecommendJson("CMD", cmd.command);
  }
  void Visit(const Entrypoint& entrypoint, const Notes&) {
    OnlyLastCounts("ENTRYPOINT");
    RecommendJson("ENTRYPOINT", entrypoint.command);
  }
  void Visit(const Healthcheck&, const Notes&) { OnlyLastCounts("HEALTHCHECK"); }
  void Visit(const Shell&, const Notes&) { has_shell_ = true; }

  // The earlier one is the useless one, so that is where the warning stands.
  void OnlyLastCounts(absl::string_view keyword) {
    const auto [entry, is_first] = last_of_.emplace(std::string(keyword), range_);
    if (is_first) return;
    warnings_.push_back({"MultipleInstructionsDisallowed",
                         absl::StrCat("Multiple ", keyword,
                                      " instructions should not be used in the same stage because only the last one will be used"),
                         entry->second});
    entry->second = range_;
  }
  void RecommendJson(absl::string_view keyword, const Command& command) {
    if (!command.is_shell || has_shell_) return;
    Warn("JSONArgsRecommended", "JSON arguments recommended for ", keyword,
         " to prevent unintended behavior related to OS signals");
  }

  void Visit(const Maintainer&, const Notes&) {
    Warn("MaintainerDeprecated", "Maintainer instruction is deprecated in favor of using label");
  }

  void Visit(const Workdir& workdir, const Notes&) {
    if (IsAbsolute(workdir.path) || HoldsVariable(workdir.path)) {
      has_absolute_workdir_ = true;
      if (!stage_name_.empty()) has_absolute_workdir_by_stage_[stage_name_] = true;
    } else if (!has_absolute_workdir_) {
      Warn("WorkdirRelativePath", "Relative workdir \"", workdir.path,
           "\" can have unexpected results if the base image changes");
    }
  }

  void Visit(const Expose& expose, const Notes&) {
    for (const std::string& port : expose.ports) {
      const size_t slash = port.find('/');
      if (slash != std::string::npos && !HoldsVariable(port) && !IsLower(port.substr(slash + 1))) {
        Warn("ExposeProtoCasing", "Defined protocol '", port.substr(slash + 1), "' in EXPOSE instruction should be lowercase");
      }
      if (!HoldsVariable(port) && absl::StrContains(port, ':')) {
        Warn("ExposeInvalidFormat", "EXPOSE instruction should not define an IP address or host-port mapping, found '", port, "'");
      }
    }
  }

  template <typename Other>
  void Visit(const Other&, const Notes&) {}

  void Casing(const std::vector<NotedInstruction>& instructions) {
    int upper = 0, lower = 0;
    for (const NotedInstruction& noted : instructions) {
      upper += IsUpper(noted.notes.keyword);
      lower += IsLower(noted.notes.keyword);
    }
    const bool want_lower = lower > upper;
    for (const NotedInstruction& noted : instructions) {
      const std::string& keyword = noted.notes.keyword;
      if (want_lower ? IsLower(keyword) : IsUpper(keyword)) continue;
      range_ = Base(noted.instruction).range;
      Warn("ConsistentInstructionCasing", "Command '", keyword, "' should match the case of the command majority (",
           want_lower ? "lowercase" : "uppercase", ")");
    }
  }

  std::vector<Warning> warnings_;
  SourceRange range_;  // of the instruction at hand
  absl::flat_hash_set<std::string> stage_names_;
  absl::flat_hash_map<std::string, bool> has_absolute_workdir_by_stage_;
  // About the stage at hand.
  std::string stage_name_;
  std::map<std::string, SourceRange, std::less<>> last_of_;
  bool has_shell_ = false;
  bool has_absolute_workdir_ = false;
};

}  // namespace

std::vector<Warning> Lint(const std::vector<NotedInstruction>& instructions) { return Linter().Run(instructions); }

}  // namespace strata::dockerfile
