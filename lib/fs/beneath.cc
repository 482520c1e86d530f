#include "lib/fs/beneath.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "lib/base/status.h"

namespace strata::fs {
namespace {

constexpr int kMaxRetries = 128;

absl::Status PathError(int error_number, absl::string_view path) {
  const std::string what = absl::StrCat("\"", absl::CHexEscape(path.substr(0, 300)), "\"");
  switch (error_number) {
    case ELOOP: return absl::InvalidArgumentError(absl::StrCat(what, ": a symlink is in the way, or symlinks form a loop"));
    case ENAMETOOLONG: return absl::InvalidArgumentError(absl::StrCat(what, ": the path is too long"));
    case ENOTDIR: return absl::FailedPreconditionError(absl::StrCat(what, ": a part of the path is not a directory"));
    case EXDEV: return absl::PermissionDeniedError(absl::StrCat(what, ": the path leads outside of its directory"));
    default: return ErrnoStatus(error_number, what);
  }
}

absl::StatusOr<UniqueFd> OpenResolved(int dir_fd, absl::string_view path, int flags, mode_t mode, uint64_t resolve) {
  if (path.find('\0') != absl::string_view::npos) return absl::InvalidArgumentError("a path with a NUL byte");
  const std::string text(path);
  open_how how = {};
  how.flags = static_cast<uint64_t>(static_cast<unsigned>(flags | O_CLOEXEC));
  how.mode = (flags & O_CREAT) != 0 ? mode : 0;
  how.resolve = resolve | RESOLVE_NO_MAGICLINKS;
  for (int attempt = 0;; ++attempt) {
    const long fd = ::syscall(SYS_openat2, dir_fd, text.c_str(), &how, sizeof(how));
    if (fd >= 0) return UniqueFd(static_cast<int>(fd));
    // EAGAIN: a rename elsewhere raced with a ".." in the path, so the kernel cannot vouch for the result; try again.
    if (errno != EINTR && !(errno == EAGAIN && attempt < kMaxRetries)) return PathError(errno, path);
  }
}

absl::string_view WithinRoot(absl::string_view path) { return path.empty() ? absl::string_view("/") : path; }

}  // namespace

absl::StatusOr<UniqueFd> OpenInRoot(int root_fd, absl::string_view path, int flags, mode_t mode) {
  return OpenResolved(root_fd, WithinRoot(path), flags, mode, RESOLVE_IN_ROOT);
}

absl::StatusOr<UniqueFd> OpenBeneath(int dir_fd, absl::string_view path, int flags, mode_t mode, bool follow_symlinks) {
  const uint64_t links = follow_symlinks ? 0 : RESOLVE_NO_SYMLINKS;
  return OpenResolved(dir_fd, path.empty() ? absl::string_view(".") : path, flags, mode, RESOLVE_BENEATH | links);
}

std::string CleanPath(absl::string_view path) {
  std::vector<absl::string_view> parts;
  for (const absl::string_view part : absl::StrSplit(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      parts.push_back(part);
    } else if (!parts.empty()) {
      parts.pop_back();
    }
  }
  return absl::StrJoin(parts, "/");
}

absl::StatusOr<ResolvedParent> ResolveParent(int root_fd, absl::string_view path) {
  const std::string clean = CleanPath(path);
  if (clean.empty()) return absl::InvalidArgumentError("the root directory has no parent");
  const size_t slash = clean.rfind('/');
  const absl::string_view parent = slash == std::string::npos ? absl::string_view() : absl::string_view(clean).substr(0, slash);
  ResolvedParent resolved;
  STRATA_ASSIGN_OR_RETURN(resolved.parent, OpenInRoot(root_fd, parent, O_PATH | O_DIRECTORY));
  resolved.name = slash == std::string::npos ? clean : clean.substr(slash + 1);
  return resolved;
}

absl::StatusOr<UniqueFd> MkdirAllInRoot(int root_fd, absl::string_view path, mode_t mode, std::optional<Owner> owner) {
  const std::string clean = CleanPath(path);
  absl::StatusOr<UniqueFd> whole = OpenInRoot(root_fd, clean, O_RDONLY | O_DIRECTORY);
  if (whole.ok() || !absl::IsNotFound(whole.status())) return whole;
  UniqueFd current;
  for (size_t end = clean.find('/');; end = clean.find('/', end + 1)) {
    const absl::string_view prefix = absl::string_view(clean).substr(0, end);
    absl::StatusOr<UniqueFd> existing = OpenInRoot(root_fd, prefix, O_RDONLY | O_DIRECTORY);
    if (absl::IsNotFound(existing.status())) {
      STRATA_ASSIGN_OR_RETURN(const ResolvedParent at, ResolveParent(root_fd, prefix));
      const bool created = ::mkdirat(at.parent.get(), at.name.c_str(), 0700) == 0;
      // EEXIST now means a symlink to nowhere, or that someone else was faster; opening tells.
      if (!created && errno != EEXIST) return PathError(errno, prefix);
      existing = OpenInRoot(root_fd, prefix, O_RDONLY | O_DIRECTORY);
      if (absl::IsNotFound(existing.status())) {
        return absl::FailedPreconditionError(absl::StrCat("\"", absl::CHexEscape(prefix), "\": a symlink to nothing is in the way"));
      }
      if (existing.ok() && created) {
        if (owner.has_value() && ::fchown(existing->get(), owner->uid, owner->gid) != 0) return PathError(errno, prefix);
        if (::fchmod(existing->get(), mode) != 0) return PathError(errno, prefix);
      }
    }
    if (!existing.ok()) return existing.status();
    current = *std::move(existing);
    if (end == std::string::npos) return current;
  }
}

absl::StatusOr<struct stat> LstatInRoot(int root_fd, absl::string_view path) {
  if (CleanPath(path).empty()) return StatInRoot(root_fd, "/");
  STRATA_ASSIGN_OR_RETURN(const ResolvedParent at, ResolveParent(root_fd, path));
  struct stat info;
  if (::fstatat(at.parent.get(), at.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return PathError(errno, path);
  return info;
}

absl::StatusOr<struct stat> StatInRoot(int root_fd, absl::string_view path) {
  STRATA_ASSIGN_OR_RETURN(const UniqueFd fd, OpenInRoot(root_fd, path, O_PATH));
  struct stat info;
  if (::fstat(fd.get(), &info) != 0) return PathError(errno, path);
  return info;
}

absl::StatusOr<std::string> ReadLinkAt(int dir_fd, absl::string_view name) {
  char target[PATH_MAX];
  const ssize_t size = ::readlinkat(dir_fd, std::string(name).c_str(), target, sizeof(target));
  if (size < 0 && errno == EINVAL) {
    return absl::InvalidArgumentError(absl::StrCat("\"", absl::CHexEscape(name), "\" is not a symlink"));
  }
  if (size < 0) return PathError(errno, name);
  return std::string(target, static_cast<size_t>(size));
}

}  // namespace strata::fs
