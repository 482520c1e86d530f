#include "services/builder/filetree/destination.h"

#include <sys/stat.h>

#include <deque>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "lib/base/status.h"
#include "lib/fs/beneath.h"

namespace strata::filetree {

namespace {

constexpr int kMaxLinks = 40;

void PushFront(std::deque<std::string>& rest, absl::string_view path) {
  const std::vector<std::string> components = absl::StrSplit(path, '/', absl::SkipEmpty());
  rest.insert(rest.begin(), components.begin(), components.end());
}

}  // namespace

absl::StatusOr<std::string> ResolveDestination(int root_fd, absl::string_view path) {
  std::vector<std::string> resolved;
  std::deque<std::string> rest;
  // ".." of the Dockerfile is undone before links are looked at, ".." of a link after them.
  PushFront(rest, fs::CleanPath(path));
  for (int links = 0; !rest.empty();) {
    const std::string component = std::move(rest.front());
    rest.pop_front();
    if (component == ".") continue;
    if (component == "..") {
      if (!resolved.empty()) resolved.pop_back();
      continue;
    }
    resolved.push_back(component);
    const std::string at = absl::StrJoin(resolved, "/");
    const auto info = fs::LstatInRoot(root_fd, at);
    if (absl::IsNotFound(info.status())) continue;
    if (!info.ok()) return info.status();
    if (!S_ISLNK(info->st_mode)) continue;
    if (++links > kMaxLinks) return absl::InvalidArgumentError(absl::StrCat("\"/", at, "\": too many levels of symbolic links"));
    STRATA_ASSIGN_OR_RETURN(const fs::ResolvedParent place, fs::ResolveParent(root_fd, at));
    STRATA_ASSIGN_OR_RETURN(const std::string target, fs::ReadLinkAt(place.parent.get(), place.name));
    resolved.pop_back();
    if (absl::StartsWith(target, "/")) resolved.clear();
    PushFront(rest, target);
  }
  return absl::StrJoin(resolved, "/");
}

}  // namespace strata::filetree
