#include "lib/fs/dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/fs/tree_walk.h"

namespace strata::fs {
namespace {

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

absl::Status NameError(int error_number, absl::string_view what, absl::string_view name) {
  return ErrnoStatus(error_number, absl::StrCat(what, " \"", absl::CHexEscape(name), "\""));
}

}  // namespace

absl::StatusOr<UniqueFd> OpenDirectory(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.is_valid()) return NameError(errno, "open directory", path);
  return fd;
}

absl::StatusOr<std::vector<DirEntry>> ListDirectory(int dir_fd) {
  // A descriptor of its own: closedir() closes it, and its offset is not the caller's.
  const int own = ::openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (own < 0) return ErrnoStatus(errno, "open directory for listing");
  const std::unique_ptr<DIR, CloseDir> dir(::fdopendir(own));
  if (dir == nullptr) {
    const int error_number = errno;
    ::close(own);
    return ErrnoStatus(error_number, "list directory");
  }
  std::vector<DirEntry> entries;
  errno = 0;
  while (const dirent* entry = ::readdir(dir.get())) {
    const absl::string_view name(entry->d_name);
    if (name != "." && name != "..") entries.push_back({std::string(name), entry->d_type});
  }
  if (errno != 0) return ErrnoStatus(errno, "list directory");
  std::sort(entries.begin(), entries.end(), [](const DirEntry& a, const DirEntry& b) { return a.name < b.name; });
  return entries;
}

absl::Status RemoveContents(int dir_fd) {
  return WalkTree(
      dir_fd,
      [](const WalkEntry& entry) -> absl::StatusOr<WalkAction> {
        if (S_ISDIR(entry.stat.st_mode)) return WalkAction::kContinue;
        if (::unlinkat(entry.parent_fd, entry.name.c_str(), 0) != 0 && errno != ENOENT) return NameError(errno, "remove", entry.path);
        return WalkAction::kContinue;
      },
      [](const WalkEntry& entry) -> absl::Status {
        if (::unlinkat(entry.parent_fd, entry.name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) {
          return NameError(errno, "remove directory", entry.path);
        }
        return absl::OkStatus();
      });
}

absl::Status RemoveAllAt(int dir_fd, absl::string_view name) {
  const std::string text(name);
  if (::unlinkat(dir_fd, text.c_str(), 0) == 0 || errno == ENOENT) return absl::OkStatus();
  if (errno != EISDIR && errno != EPERM) return NameError(errno, "remove", name);
  const UniqueFd child(::openat(dir_fd, text.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!child.is_valid()) return NameError(errno, "remove", name);
  STRATA_RETURN_IF_ERROR(Annotate(RemoveContents(child.get()), absl::StrCat("removing \"", absl::CHexEscape(name), "\"")));
  if (::unlinkat(dir_fd, text.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) return NameError(errno, "remove directory", name);
  return absl::OkStatus();
}

absl::Status SyncDirectory(int dir_fd) {
  if (::fsync(dir_fd) != 0) return ErrnoStatus(errno, "sync directory");
  return absl::OkStatus();
}

}  // namespace strata::fs
