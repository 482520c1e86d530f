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

// Adds to the patterns the links that they lead through, and the patterns as they read behind each of them.
class LinkFollower {
 public:
  LinkFollower(const ContextFilter::LinkTarget& link_target, const ContextFilter::FolderNames& folder_names, std::set<std::string>& patterns)
      : link_target_(link_target), folder_names_(folder_names), patterns_(patterns) {}

  void Follow(const std::string& pattern) { Walk("", absl::StrSplit(pattern, '/'), 0); }

 private:
  using Components = std::vector<std::string>;

  // `folder` has no wildcards and no links in it; `rest` is what of the pattern is below it.
  void Walk(const std::string& folder, const Components& rest, size_t followed) {
    if (rest.empty()) return;
    if (!glob::HasWildcard(rest.front())) return Enter(folder, rest.front(), rest, followed);
    const auto pattern = glob::Pattern::Compile(rest.front());
    if (rest.front() == "**" || folder_names_ == nullptr || !pattern.ok()) return;
    for (const std::string& name : folder_names_(folder)) {
      if (pattern->Matches(name)) Enter(folder, name, rest, followed);
    }
  }

  void Enter(const std::string& folder, const std::string& name, const Components& rest, size_t followed) {
    const std::string path = folder.empty() ? name : absl::StrCat(folder, "/", name);
    const Components below(rest.begin() + 1, rest.end());
    const auto target = link_target_(path);
    if (!target) return Walk(path, below, followed);
    patterns_.insert(path);
    const std::string behind = fs::CleanPath(
        absl::StrCat(absl::StartsWith(*target, "/") ? "" : absl::StrCat(folder, "/"), *target, "/", absl::StrJoin(below, "/")));
    if (behind.empty()) patterns_.insert(".");
    if (behind.empty() || followed >= kMaxLinks || !patterns_.insert(behind).second) return;
    Walk("", absl::StrSplit(behind, '/'), followed + 1);
  }

  const ContextFilter::LinkTarget& link_target_;
  const ContextFilter::FolderNames& folder_names_;
  std::set<std::string>& patterns_;
};

}  // namespace

absl::StatusOr<ContextFilter> ContextFilter::Create(absl::Span<const std::string> include, glob::IgnoreMatcher ignore,
                                                    const LinkTarget& link_target, const FolderNames& folder_names) {
  std::set<std::string> patterns;
  for (const std::string& text : include) {
    const std::string clean = fs::CleanPath(text);
    patterns.insert(clean.empty() ? "." : clean);
  }
  if (link_target != nullptr) {
    LinkFollower follower(link_target, folder_names, patterns);
    for (const std::string& pattern : std::set<std::string>(patterns)) follower.Follow(pattern);
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
