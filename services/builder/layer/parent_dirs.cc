#include "services/builder/layer/parent_dirs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <deque>
#include <optional>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "lib/base/status.h"
#include "lib/fs/beneath.h"
#include "lib/fs/xattr.h"
#include "services/builder/layer/copy_up.h"

namespace strata::layer {
namespace {

constexpr int kMaxSymlinks = 40;  // as the kernel allows

std::string Quoted(absl::string_view path) { return absl::StrCat("\"", absl::CHexEscape(path), "\""); }

}  // namespace

ParentDirs::ParentDirs(int root_fd, const LowerView& lower, OverlayXattrs overlay_xattrs)
    : root_fd_(root_fd), lower_(lower), opaque_xattr_(OverlayXattr(overlay_xattrs, "opaque")) {}

absl::StatusOr<int> ParentDirs::Open(absl::string_view clean_path) {
  if (is_current_ && last_path_ == clean_path) return last_.get();
  is_current_ = false;
  absl::StatusOr<UniqueFd> existing = fs::OpenInRoot(root_fd_, clean_path, O_PATH | O_DIRECTORY);
  if (existing.ok()) {
    last_ = *std::move(existing);
  } else if (absl::IsNotFound(existing.status()) || absl::IsFailedPrecondition(existing.status())) {
    STRATA_ASSIGN_OR_RETURN(Located located, Locate(clean_path));
    last_ = std::move(located.fd);
  } else {
    return existing.status();
  }
  last_path_ = std::string(clean_path);
  is_current_ = true;
  return last_.get();
}

absl::StatusOr<ParentDirs::Located> ParentDirs::Locate(absl::string_view clean_path) {
  std::deque<std::string> todo = absl::StrSplit(clean_path, '/');
  std::vector<std::string> physical;
  int symlinks = 0;
  STRATA_ASSIGN_OR_RETURN(UniqueFd current, fs::OpenBeneath(root_fd_, "", O_PATH | O_DIRECTORY));
  while (!todo.empty()) {
    const std::string name = std::move(todo.front());
    todo.pop_front();
    if (name.empty() || name == ".") continue;
    if (name == "..") {
      if (!physical.empty()) physical.pop_back();
      STRATA_ASSIGN_OR_RETURN(current, fs::OpenBeneath(root_fd_, absl::StrJoin(physical, "/"), O_PATH | O_DIRECTORY, 0, /*follow_symlinks=*/false));
      continue;
    }
    const std::string here = physical.empty() ? name : absl::StrCat(absl::StrJoin(physical, "/"), "/", name);
    struct stat stat;
    int found = ::fstatat(current.get(), name.c_str(), &stat, AT_SYMLINK_NOFOLLOW);
    if (found != 0 && errno != ENOENT) return ErrnoStatus(errno, Quoted(here));
    if (found != 0 || IsWhiteoutDevice(stat)) {
      STRATA_RETURN_IF_ERROR(Make(current.get(), name, here, /*over_whiteout=*/found == 0));
      found = ::fstatat(current.get(), name.c_str(), &stat, AT_SYMLINK_NOFOLLOW);
      if (found != 0) return ErrnoStatus(errno, Quoted(here));
    }
    if (S_ISLNK(stat.st_mode)) {
      if (++symlinks > kMaxSymlinks) return absl::InvalidArgumentError(absl::StrCat(Quoted(clean_path), ": too many symlinks in the path"));
      STRATA_ASSIGN_OR_RETURN(const std::string target, fs::ReadLinkAt(current.get(), name));
      const std::vector<std::string> parts = absl::StrSplit(target, '/');
      todo.insert(todo.begin(), parts.begin(), parts.end());
      if (absl::StartsWith(target, "/")) {
        physical.clear();
        STRATA_ASSIGN_OR_RETURN(current, fs::OpenBeneath(root_fd_, "", O_PATH | O_DIRECTORY));
      }
      continue;
    }
    if (!S_ISDIR(stat.st_mode)) {
      return absl::FailedPreconditionError(absl::StrCat(Quoted(clean_path), ": ", Quoted(here), " is not a directory"));
    }
    UniqueFd next(::openat(current.get(), name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!next.is_valid()) return ErrnoStatus(errno, Quoted(here));
    current = std::move(next);
    physical.push_back(name);
  }
  return Located{std::move(current), absl::StrJoin(physical, "/")};
}

absl::Status ParentDirs::Make(int parent_fd, const std::string& name, const std::string& physical, bool over_whiteout) {
  if (over_whiteout && ::unlinkat(parent_fd, name.c_str(), 0) != 0) return ErrnoStatus(errno, Quoted(physical));
  if (!over_whiteout) {
    STRATA_ASSIGN_OR_RETURN(const std::optional<LowerView::Found> below, lower_.Lookup(physical));
    if (below.has_value() && S_ISLNK(below->stat.st_mode)) return CopyUp(*below, parent_fd, name);
    if (below.has_value() && S_ISDIR(below->stat.st_mode)) {
      made_.emplace_back(physical, below->stat.st_mtim);
      return CopyUp(*below, parent_fd, name);
    }
  }
  if (::mkdirat(parent_fd, name.c_str(), 0755) != 0 || ::fchmodat(parent_fd, name.c_str(), 0755, 0) != 0) {
    return ErrnoStatus(errno, absl::StrCat("make directory ", Quoted(physical)));
  }
  made_.emplace_back(physical, timespec{});
  // What the whiteout hid stays hidden.
  return over_whiteout ? fs::SetXattrAt(parent_fd, name, opaque_xattr_, "y") : absl::OkStatus();
}

}  // namespace strata::layer
