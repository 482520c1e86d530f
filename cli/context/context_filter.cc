#include "cli/context/context_filter.h"

#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "lib/base/status.h"
#include "lib/fs/beneath.h"

namespace strata::cli {
namespace {

// As the kernel: enough for every honest tree, and an end for loops.
constexpr size_t kMaxLinks = 40;

// Adds to `patterns` the links that `pattern` leads through and the pattern as it reads behind each of them.
void FollowLinks(std::string pattern, const ContextFilter::LinkTarget& link_target, std::set<std::string>& patterns) {
  for (size_t followed = 0; followed < kMaxLinks; ++followed) {
    const std::vector<std::string> parts = absl::StrSplit(pattern, '/');
    std::string folder, next;
    for (size_t i = 0; i < parts.size() && next.empty(); ++i) {
      if (glob::HasWildcard(parts[i])) break;
      const std::string path = folder.empty() ? parts[i] : absl::StrCat(folder, "/", parts[i]);
      if (const auto target = link_target(path)) {
        patterns.insert(path);
        const std::string rest = absl::StrJoin(parts.begin() + i + 1, parts.end(), "/");
        next = fs::CleanPath(absl::StrCat(absl::StartsWith(*target, "/") ? "" : absl::StrCat(folder, "/"), *target, "/", rest));
        if (next.empty()) next = ".";
      }
      folder = path;
    }
    if (next.empty() || !patterns.insert(next).second || next == ".") return;
    pattern = next;
  }
}

}  // namespace

absl::StatusOr<ContextFilter> ContextFilter::Create(absl::Span<const std::string> include, glob::IgnoreMatcher ignore,
                                                    const LinkTarget& link_target) {
  std::set<std::string> patterns;
  for (const std::string& text : include) {
    const std::string clean = fs::CleanPath(text);
    patterns.insert(clean.empty() ? "." : clean);
  }
  if (link_target != nullptr) {
    for (const std::string& pattern : std::set<std::string>(patterns)) FollowLinks(pattern, link_target, patterns);
  }
  ContextFilter filter;
  filter.ignore_ = std::move(ignore);
  for (const std::string& text : patterns) {
    if (text == "." || text == "**") filter.everything_ = true;
    auto pattern = glob::Pattern::Compile(text, glob::Syntax::kDoubleStar);
    if (!pattern.ok()) return Annotate(pattern.status(), absl::StrCat("pattern \"", text, "\""));
    filter.include_.push_back(*std::move(pattern));
  }
  return filter;
}

bool ContextFilter::Includes(absl::string_view path) const {
  if (everything_) return true;
  for (const glob::Pattern& pattern : include_) {
    if (pattern.MatchesPathOrParent(path)) return true;
  }
  return false;
}

bool ContextFilter::MayIncludeBelow(absl::string_view folder) const {
  for (const glob::Pattern& pattern : include_) {
    if (pattern.MayMatchBelow(folder)) return true;
  }
  return false;
}

Verdict ContextFilter::Judge(absl::string_view path, bool is_folder) const {
  const bool included = Includes(path);
  if (!included && !(is_folder && MayIncludeBelow(path))) return Verdict::kSkip;
  if (!ignore_.Matches(path)) return included ? Verdict::kTake : Verdict::kPassing;
  return is_folder && ignore_.MayReinclude(path) ? Verdict::kPassing : Verdict::kSkip;
}

}  // namespace strata::cli
