#include "lib/config/parser.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "lib/base/status.h"
#include "lib/config/config_file.h"
#include "lib/config/nearest.h"

namespace strata::config {

// What a command line says, before anything is set: the file it names has to be read first.
class Scanner {
 public:
  Scanner(Parser& parser, const std::vector<std::string>& arguments) : parser_(parser), arguments_(arguments) {}

  absl::Status Run() {
    for (next_ = 0; next_ < arguments_.size();) {
      const std::string& argument = arguments_[next_++];
      if (argument == "--") break;
      if (argument.size() < 2 || argument[0] != '-') {
        parsed.positional.push_back(argument);
        if (parser_.stops_at_positional_) break;
      } else if (absl::StartsWith(argument, "--")) {
        STRATA_RETURN_IF_ERROR(TakeLong(argument));
      } else {
        STRATA_RETURN_IF_ERROR(TakeShort(argument));
      }
      if (parsed.wants_help || parsed.wants_version) return absl::OkStatus();
    }
    parsed.positional.insert(parsed.positional.end(), arguments_.begin() + static_cast<std::ptrdiff_t>(next_), arguments_.end());
    return absl::OkStatus();
  }

  struct Given {
    Parser::Entry* entry;
    std::string origin;
    std::string text;
  };
  Parsed parsed;
  std::vector<Given> given;
  std::optional<std::string> config_path;

 private:
  absl::Status TakeLong(absl::string_view argument) {
    const size_t equals = argument.find('=');
    const absl::string_view shown = argument.substr(0, equals);
    const absl::string_view flag = shown.substr(2);
    std::optional<std::string> attached;
    if (equals != absl::string_view::npos) attached = std::string(argument.substr(equals + 1));
    if (Parser::Entry* entry = parser_.Find(flag)) return TakeValue(*entry, shown, attached);
    absl::string_view positive = flag;
    if (absl::ConsumePrefix(&positive, "no-") && !attached) {
      Parser::Entry* entry = parser_.Find(positive);
      if (entry != nullptr && entry->value.is_bool) return TakeValue(*entry, shown, "false");
    }
    if (flag == "help" && !attached) parsed.wants_help = true;
    if (flag == "version" && !attached) parsed.wants_version = true;
    if (parsed.wants_help || parsed.wants_version) return absl::OkStatus();
    if (flag != "config" || !parser_.takes_config_file_) return parser_.Unknown("", "flag", shown);
    STRATA_ASSIGN_OR_RETURN(config_path, ValueFor(shown, attached));
    return absl::OkStatus();
  }

  absl::Status TakeShort(absl::string_view argument) {
    const absl::string_view shown = argument.substr(0, 2);
    Parser::Entry* entry = parser_.FindShort(argument[1]);
    if (entry == nullptr && argument == "-h") {
      parsed.wants_help = true;
      return absl::OkStatus();
    }
    if (entry == nullptr) return parser_.Unknown("", "flag", argument);
    // Switches may be joined, "-aq", up to one that takes a value.
    if (entry->value.is_bool && argument.size() > 2) {
      STRATA_RETURN_IF_ERROR(TakeValue(*entry, shown, "true"));
      return TakeShort(absl::StrCat("-", argument.substr(2)));
    }
    std::optional<std::string> attached;
    if (argument.size() > 2) attached = std::string(absl::StripPrefix(argument.substr(2), "="));
    return TakeValue(*entry, shown, attached);
  }

  absl::Status TakeValue(Parser::Entry& entry, absl::string_view shown, std::optional<std::string> attached) {
    if (entry.value.is_bool && !attached) attached = "true";
    STRATA_ASSIGN_OR_RETURN(std::string text, ValueFor(shown, attached));
    given.push_back({&entry, std::string(shown), std::move(text)});
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> ValueFor(absl::string_view shown, const std::optional<std::string>& attached) {
    if (attached) return *attached;
    if (next_ < arguments_.size()) return arguments_[next_++];
    return absl::InvalidArgumentError(absl::StrCat(shown, ": a value is missing"));
  }

  Parser& parser_;
  const std::vector<std::string>& arguments_;
  size_t next_ = 0;
};

Parser::Parser(std::string program, std::string about)
    : program_(std::move(program)), about_(std::move(about)), environment_([](const char* name) { return std::getenv(name); }) {}

void Parser::AddValue(Value value, Option option) {
  std::string shown = value.show();
  entries_.push_back({std::move(value), std::move(option), std::move(shown)});
}

void Parser::AddConfigFile(std::string env, std::string default_path) {
  takes_config_file_ = true;
  config_env_ = std::move(env);
  default_config_path_ = std::move(default_path);
}

void Parser::AddCommand(std::string name, std::string summary) { commands_.emplace_back(std::move(name), std::move(summary)); }

Parser::Entry* Parser::Find(absl::string_view flag) {
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.option.flag == flag; });
  return found == entries_.end() ? nullptr : &*found;
}

Parser::Entry* Parser::FindShort(char flag) {
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.option.short_flag == flag; });
  return found == entries_.end() ? nullptr : &*found;
}

absl::Status Parser::Unknown(absl::string_view origin, absl::string_view what, absl::string_view name) const {
  std::vector<std::string> names;
  const absl::string_view dashes = what == "flag" ? "--" : "";
  for (const Entry& entry : entries_) names.push_back(absl::StrCat(dashes, entry.option.flag));
  const std::string nearest = Nearest(name, names);
  return absl::InvalidArgumentError(absl::StrCat(origin, "unknown ", what, " \"", name.substr(0, 80), "\"",
                                                 nearest.empty() ? "" : absl::StrCat("; did you mean \"", nearest, "\"?")));
}

absl::Status Parser::Set(Entry& entry, absl::string_view origin, absl::string_view text) {
  const std::vector<std::string>& allowed = entry.option.one_of;
  if (!allowed.empty() && std::find(allowed.begin(), allowed.end(), text) == allowed.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat(origin, ": \"", text.substr(0, 80), "\" is none of ", absl::StrJoin(allowed, ", ")));
  }
  entry.origin = std::string(origin);
  return Annotate(entry.value.set(text), origin);
}

absl::Status Parser::SetList(Entry& entry, absl::string_view origin, absl::string_view text) {
  if (!entry.value.is_list) return Set(entry, origin, text);
  entry.value.clear();
  for (const absl::string_view part : absl::StrSplit(text, ',', absl::SkipWhitespace())) {
    STRATA_RETURN_IF_ERROR(Set(entry, origin, absl::StripAsciiWhitespace(part)));
  }
  return absl::OkStatus();
}

absl::Status Parser::ApplyFile(const std::string& path, bool must_exist) {
  absl::StatusOr<std::vector<ConfigLine>> lines = ReadConfigFile(path);
  if (!must_exist && absl::IsNotFound(lines.status())) return absl::OkStatus();
  if (!lines.ok()) return absl::InvalidArgumentError(absl::StrCat("configuration file ", lines.status().message()));
  for (const ConfigLine& line : *lines) {
    const std::string origin = absl::StrCat(path, ":", line.number);
    Entry* entry = Find(line.key);
    if (entry == nullptr) return Unknown(absl::StrCat(origin, ": "), "key", line.key);
    STRATA_RETURN_IF_ERROR(SetList(*entry, origin, line.value));
  }
  return absl::OkStatus();
}

absl::Status Parser::ApplyEnvironment() {
  for (Entry& entry : entries_) {
    if (entry.option.env.empty()) continue;
    const char* text = environment_(entry.option.env.c_str());
    if (text == nullptr || *text == '\0') continue;
    STRATA_RETURN_IF_ERROR(SetList(entry, entry.option.env, text));
  }
  return absl::OkStatus();
}

absl::StatusOr<Parsed> Parser::Parse(const std::vector<std::string>& arguments) {
  Scanner scanner(*this, arguments);
  STRATA_RETURN_IF_ERROR(scanner.Run());
  if (scanner.parsed.wants_help || scanner.parsed.wants_version) return std::move(scanner.parsed);
  if (takes_config_file_) {
    const char* from_env = config_env_.empty() ? nullptr : environment_(config_env_.c_str());
    if (scanner.config_path) {
      STRATA_RETURN_IF_ERROR(ApplyFile(*scanner.config_path, true));
    } else if (from_env != nullptr && *from_env != '\0') {
      STRATA_RETURN_IF_ERROR(Annotate(ApplyFile(from_env, true), config_env_));
    } else if (!default_config_path_.empty()) {
      STRATA_RETURN_IF_ERROR(ApplyFile(default_config_path_, false));
    }
  }
  STRATA_RETURN_IF_ERROR(ApplyEnvironment());
  std::vector<const Entry*> cleared;
  for (const Scanner::Given& given : scanner.given) {
    if (std::find(cleared.begin(), cleared.end(), given.entry) == cleared.end()) {
      given.entry->value.clear();
      cleared.push_back(given.entry);
    }
    STRATA_RETURN_IF_ERROR(Set(*given.entry, given.origin, given.text));
  }
  return std::move(scanner.parsed);
}

absl::StatusOr<Parsed> Parser::Parse(int argc, const char* const* argv) {
  return Parse(std::vector<std::string>(argv + std::min(argc, 1), argv + argc));
}

std::string Parser::Describe() const {
  std::string out;
  for (const Entry& entry : entries_) {
    const std::string shown = entry.option.is_secret ? "(secret)" : entry.value.show();
    absl::StrAppend(&out, entry.option.flag, " = ", shown, "  # ", entry.origin, "\n");
  }
  return out;
}

std::vector<std::string> ParseOrExit(Parser& parser, absl::string_view program, absl::string_view version, int argc,
                                     const char* const* argv) {
  absl::StatusOr<Parsed> parsed = parser.Parse(argc, argv);
  if (!parsed.ok()) {
    const std::string line = absl::StrCat(program, ": ", parsed.status().message(), "\nTry \"", program, " --help\".\n");
    std::fputs(line.c_str(), stderr);
    std::exit(2);
  }
  if (parsed->wants_help || parsed->wants_version) {
    std::fputs((parsed->wants_help ? parser.Help() : absl::StrCat(program, " ", version, "\n")).c_str(), stdout);
    std::exit(0);
  }
  return std::move(parsed->positional);
}

}  // namespace strata::config
