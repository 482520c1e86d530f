#include "lib/glob/ignore.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "lib/base/status.h"

namespace strata::glob {
namespace {

// "./a//b/../c/" becomes "a/c"; a leading '/' is dropped, and so is a ".." that would leave the root from there.
std::string CleanPattern(absl::string_view text) {
  const bool is_rooted = absl::StartsWith(text, "/");
  std::vector<absl::string_view> parts;
  for (const absl::string_view part : absl::StrSplit(text, '/', absl::SkipEmpty())) {
    if (part == ".") continue;
    if (part != ".." || (!is_rooted && (parts.empty() || parts.back() == ".."))) {
      parts.push_back(part);
    } else if (!parts.empty()) {
      parts.pop_back();
    }
  }
  return absl::StrJoin(parts, "/");
}

}  // namespace

absl::StatusOr<IgnoreMatcher> IgnoreMatcher::Parse(absl::string_view text) {
  if (text.size() > kMaxIgnoreBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("the ignore file has ", text.size(), " bytes, more than the allowed ", kMaxIgnoreBytes));
  }
  absl::ConsumePrefix(&text, "\xEF\xBB\xBF");
  IgnoreMatcher matcher;
  int line_number = 0;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    ++line_number;
    if (absl::StartsWith(line, "#")) continue;
    const absl::Status status = matcher.AddPattern(line);
    if (!status.ok()) return Annotate(status, absl::StrCat("line ", line_number));
  }
  return matcher;
}

absl::StatusOr<IgnoreMatcher> IgnoreMatcher::FromPatterns(absl::Span<const std::string> patterns) {
  IgnoreMatcher matcher;
  for (const std::string& pattern : patterns) STRATA_RETURN_IF_ERROR(matcher.AddPattern(pattern));
  return matcher;
}

absl::Status IgnoreMatcher::AddPattern(absl::string_view pattern) {
  pattern = absl::StripAsciiWhitespace(pattern);
  if (pattern.empty()) return absl::OkStatus();
  const bool takes_back = absl::ConsumePrefix(&pattern, "!");
  pattern = absl::StripAsciiWhitespace(pattern);
  if (pattern.empty()) return absl::InvalidArgumentError("illegal exclusion pattern: \"!\"; write a path after it");
  const std::string cleaned = CleanPattern(pattern);
  // "/" and "." name the root itself, which is never asked about.
  if (cleaned.empty()) return absl::OkStatus();
  STRATA_ASSIGN_OR_RETURN(Pattern compiled, Pattern::Compile(cleaned, Syntax::kDoubleStar));
  rules_.push_back({.pattern = std::move(compiled), .takes_back = takes_back});
  patterns_.push_back(absl::StrCat(takes_back ? "!" : "", cleaned));
  return absl::OkStatus();
}

int IgnoreMatcher::LastMatch(absl::string_view path) const {
  for (size_t i = rules_.size(); i > 0; --i) {
    if (rules_[i - 1].pattern.MatchesPathOrParent(path)) return static_cast<int>(i) - 1;
  }
  return -1;
}

bool IgnoreMatcher::Matches(absl::string_view path) const {
  const int last = LastMatch(path);
  return last >= 0 && !rules_[last].takes_back;
}

bool IgnoreMatcher::MayReinclude(absl::string_view folder) const {
  // Rules before the one that decides about the folder cannot decide about what is in it.
  for (size_t i = LastMatch(folder) + 1; i < rules_.size(); ++i) {
    if (rules_[i].takes_back && rules_[i].pattern.MayMatchBelow(folder)) return true;
  }
  return false;
}

}  // namespace strata::glob
