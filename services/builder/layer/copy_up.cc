#include "services/builder/layer/copy_up.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/fs/beneath.h"
#include "lib/fs/copy.h"
#include "lib/fs/xattr.h"

namespace strata::layer {
namespace {

absl::Status Failed(absl::string_view name) {
  return ErrnoStatus(errno, absl::StrCat("copy \"", absl::CHexEscape(name), "\" up from a lower layer"));
}

absl::Status CopyXattrs(int from_fd, const std::string& from_name, int to_fd, const std::string& to_name) {
  STRATA_ASSIGN_OR_RETURN(const auto xattrs, fs::ReadXattrsAt(from_fd, from_name));
  for (const auto& [xattr, value] : xattrs) {
    if (IsOverlayXattr(xattr)) continue;
    STRATA_RETURN_IF_ERROR(fs::SetXattrAt(to_fd, to_name, xattr, value));
  }
  return absl::OkStatus();
}

absl::Status Create(const LowerView::Found& found, int parent_fd, const std::string& name) {
  const mode_t type = found.stat.st_mode & S_IFMT;
  if (type == S_IFDIR) return ::mkdirat(parent_fd, name.c_str(), 0700) == 0 ? absl::OkStatus() : Failed(name);
  if (type == S_IFLNK) {
    STRATA_ASSIGN_OR_RETURN(const std::string target, fs::ReadLinkAt(found.parent.get(), found.name));
    return ::symlinkat(target.c_str(), parent_fd, name.c_str()) == 0 ? absl::OkStatus() : Failed(name);
  }
  if (type != S_IFREG) return ::mknodat(parent_fd, name.c_str(), type | 0600, found.stat.st_rdev) == 0 ? absl::OkStatus() : Failed(name);
  const UniqueFd in(::openat(found.parent.get(), found.name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!in.is_valid()) return Failed(name);
  const UniqueFd out(::openat(parent_fd, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!out.is_valid()) return Failed(name);
  return fs::CopyFileContents(in.get(), out.get()).status();
}

}  // namespace

absl::Status CopyUp(const LowerView::Found& found, int parent_fd, const std::string& name) {
  STRATA_RETURN_IF_ERROR(Create(found, parent_fd, name));
  if (::fchownat(parent_fd, name.c_str(), found.stat.st_uid, found.stat.st_gid, AT_SYMLINK_NOFOLLOW) != 0) return Failed(name);
  if (!S_ISLNK(found.stat.st_mode) && ::fchmodat(parent_fd, name.c_str(), found.stat.st_mode & 07777, 0) != 0) return Failed(name);
  STRATA_RETURN_IF_ERROR(CopyXattrs(found.parent.get(), found.name, parent_fd, name));
  const timespec times[2] = {found.stat.st_mtim, found.stat.st_mtim};
  if (::utimensat(parent_fd, name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) return Failed(name);
  return absl::OkStatus();
}

absl::Status CopyDirectoryMetadata(int from_parent_fd, const std::string& from_name, int to_parent_fd, const std::string& to_name) {
  struct stat stat;
  if (::fstatat(from_parent_fd, from_name.c_str(), &stat, AT_SYMLINK_NOFOLLOW) != 0) return Failed(from_name);
  if (::fchownat(to_parent_fd, to_name.c_str(), stat.st_uid, stat.st_gid, AT_SYMLINK_NOFOLLOW) != 0) return Failed(to_name);
  if (::fchmodat(to_parent_fd, to_name.c_str(), stat.st_mode & 07777, 0) != 0) return Failed(to_name);
  return CopyXattrs(from_parent_fd, from_name, to_parent_fd, to_name);
}

}  // namespace strata::layer
