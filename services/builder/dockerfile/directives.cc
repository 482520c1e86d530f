#include "services/builder/dockerfile/directives.h"

#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "lib/base/status.h"
#include "services/builder/dockerfile/json_array.h"

namespace strata::dockerfile {
namespace {

constexpr absl::string_view kByteOrderMark = "\xEF\xBB\xBF";

absl::string_view TakeLine(absl::string_view& text) {
  const size_t end = text.find('\n');
  absl::string_view line = text.substr(0, end);
  text.remove_prefix(end == absl::string_view::npos ? text.size() : end + 1);
  return line;
}

struct KeyAndValue {
  std::string key;  // lower case
  absl::string_view value;
};

// "<prefix> key = value"; false when the line is anything else.
bool ReadDirective(absl::string_view line, absl::string_view prefix, KeyAndValue& out) {
  if (!absl::ConsumePrefix(&line, prefix)) return false;
  const size_t equals = line.find('=');
  if (equals == absl::string_view::npos) return false;
  out.key = absl::AsciiStrToLower(absl::StripAsciiWhitespace(line.substr(0, equals)));
  out.value = absl::StripAsciiWhitespace(line.substr(equals + 1));
  if (out.key.empty() || out.value.empty() || !absl::ascii_isalpha(out.key[0])) return false;
  for (const char c : out.key) {
    if (!absl::ascii_isalnum(c)) return false;
  }
  return true;
}

bool IsKnown(absl::string_view key) { return key == "syntax" || key == "escape" || key == "check"; }

std::string FirstWord(absl::string_view value) {
  return std::string(value.substr(0, value.find_first_of(" \t")));
}

}  // namespace

absl::StatusOr<Directives> ParseDirectives(absl::string_view text, absl::string_view file_name) {
  absl::ConsumePrefix(&text, kByteOrderMark);
  Directives directives;
  absl::flat_hash_set<std::string> seen;
  KeyAndValue found;
  for (int line = 1; ReadDirective(TakeLine(text), "#", found) && IsKnown(found.key); ++line) {
    const auto error = [&](absl::string_view message) { return ErrorAt({std::string(file_name), line}, message); };
    if (!seen.insert(found.key).second) {
      return error(absl::StrCat("only one ", found.key, " parser directive can be used; remove this one"));
    }
    if (found.key == "syntax") {
      directives.syntax = std::string(found.value);
      directives.syntax_range = {line, line};
    } else if (found.key == "escape") {
      if (found.value != "\\" && found.value != "`") {
        return error(absl::StrCat("invalid escape token '", found.value, "'; it must be \\ or `"));
      }
      directives.escape = found.value[0];
    } else {
      absl::StatusOr<CheckOptions> check = ParseCheckOptions(found.value);
      if (!check.ok()) return error(check.status().message());
      directives.check = *std::move(check);
    }
  }
  return directives;
}

absl::StatusOr<CheckOptions> ParseCheckOptions(absl::string_view value) {
  CheckOptions options;
  const auto add_rules = [](absl::string_view list, bool& all, std::vector<std::string>& rules) {
    for (absl::string_view rule : absl::StrSplit(list, ',')) {
      rule = absl::StripAsciiWhitespace(rule);
      if (absl::EqualsIgnoreCase(rule, "all")) {
        all = true;
      } else if (!rule.empty()) {
        rules.emplace_back(rule);
      }
    }
  };
  for (const absl::string_view part : absl::StrSplit(value, ';')) {
    if (absl::StripAsciiWhitespace(part).empty()) continue;
    const size_t equals = part.find('=');
    const absl::string_view key = absl::StripAsciiWhitespace(part.substr(0, equals));
    const absl::string_view setting =
        equals == absl::string_view::npos ? "" : absl::StripAsciiWhitespace(part.substr(equals + 1));
    if (key == "skip") {
      add_rules(setting, options.skip_all, options.skip);
    } else if (key == "experimental") {
      add_rules(setting, options.experimental_all, options.experimental);
    } else if (key != "error") {
      return absl::InvalidArgumentError(absl::StrCat("invalid check option \"", part, "\"; use skip=, error= or experimental="));
    } else if (!absl::SimpleAtob(setting, &options.warnings_are_errors)) {
      return absl::InvalidArgumentError(absl::StrCat("invalid check option \"", part, "\"; error takes true or false"));
    }
  }
  return options;
}

std::string DetectSyntax(absl::string_view text) {
  absl::ConsumePrefix(&text, kByteOrderMark);
  if (absl::StartsWith(text, "#!")) TakeLine(text);
  for (const absl::string_view prefix : {"#", "//"}) {
    absl::string_view rest = text;
    KeyAndValue found;
    while (ReadDirective(TakeLine(rest), prefix, found)) {
      if (found.key == "syntax") return FirstWord(found.value);
      if (prefix == "#" && !IsKnown(found.key)) break;
    }
  }
  const std::optional<std::string> field = ReadJsonStringField(text, "syntax");
  return field.has_value() ? FirstWord(*field) : "";
}

}  // namespace strata::dockerfile
