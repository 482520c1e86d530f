#include "services/builder/executor/mount_stubs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/base/status.h"

namespace strata::executor {
namespace {

bool SameTime(const timespec& a, const timespec& b) { return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec; }

absl::Status InTheWay(absl::string_view path) {
  return absl::InvalidArgumentError(absl::StrCat("\"", path.substr(0, 200), "\" in the image is not a directory"));
}

// O_PATH descriptors cannot be given to utimensat or fchmod; a readable one of the same directory can.
UniqueFd Readable(int path_fd) { return UniqueFd(::openat(path_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)); }

}  // namespace

absl::Status MountStubs::Ensure(const std::string& path, StubKind kind) {
  std::string walked;
  const std::vector<std::string> names = absl::StrSplit(path, '/', absl::SkipEmpty());
  for (size_t i = 0; i < names.size(); ++i) {
    const StubKind wanted = i + 1 == names.size() ? kind : StubKind::kDirectory;
    const std::string parent_path = walked;
    absl::StrAppend(&walked, "/", names[i]);
    auto existing = root_.OpenInside(walked, O_PATH | O_NOFOLLOW);
    if (existing.ok()) {
      struct stat info = {};
      if (::fstat(existing->get(), &info) != 0) return ErrnoStatus(errno, "fstat");
      if (wanted == StubKind::kDirectory && !S_ISDIR(info.st_mode)) return InTheWay(walked);
      if (wanted == StubKind::kFile && S_ISDIR(info.st_mode)) {
        return absl::InvalidArgumentError(absl::StrCat("\"", walked.substr(0, 200), "\" in the image is a directory; a file cannot be mounted on it"));
      }
      continue;
    }
    if (!absl::IsNotFound(existing.status())) return existing.status();
    STRATA_ASSIGN_OR_RETURN(UniqueFd parent, root_.OpenInside(parent_path, O_PATH | O_DIRECTORY));
    STRATA_RETURN_IF_ERROR(Create(std::move(parent), names[i], wanted));
  }
  return absl::OkStatus();
}

absl::Status MountStubs::Create(UniqueFd parent, const std::string& name, StubKind kind) {
  Stub stub{.parent = std::move(parent), .name = name, .kind = kind};
  struct stat before = {};
  if (::fstat(stub.parent.get(), &before) != 0) return ErrnoStatus(errno, "fstat");
  if (kind == StubKind::kDirectory) {
    if (::mkdirat(stub.parent.get(), name.c_str(), 0755) != 0) return ErrnoStatus(errno, "creating a mount point in the image");
  } else {
    UniqueFd file(::openat(stub.parent.get(), name.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (!file.is_valid()) return ErrnoStatus(errno, "creating a mount point in the image");
  }
  struct stat made = {};
  struct stat after = {};
  const bool known = ::fstatat(stub.parent.get(), name.c_str(), &made, AT_SYMLINK_NOFOLLOW) == 0 && ::fstat(stub.parent.get(), &after) == 0;
  if (!known) return ErrnoStatus(errno, "fstat of a mount point");
  stub.device = made.st_dev;
  stub.inode = made.st_ino;
  stub.parent_accessed = before.st_atim;
  stub.parent_modified = before.st_mtim;
  stub.parent_afterwards = after.st_mtim;
  stubs_.push_back(std::move(stub));
  return absl::OkStatus();
}

void MountStubs::Remove() {
  while (!stubs_.empty()) {
    RemoveOne(stubs_.back());
    stubs_.pop_back();
  }
}

void MountStubs::RemoveOne(const Stub& stub) {
  struct stat now = {};
  if (::fstatat(stub.parent.get(), stub.name.c_str(), &now, AT_SYMLINK_NOFOLLOW) != 0) return;
  if (now.st_dev != stub.device || now.st_ino != stub.inode) return;
  if (stub.kind == StubKind::kFile && (!S_ISREG(now.st_mode) || now.st_size != 0)) return;
  struct stat parent = {};
  if (::fstat(stub.parent.get(), &parent) != 0) return;
  if (::unlinkat(stub.parent.get(), stub.name.c_str(), stub.kind == StubKind::kDirectory ? AT_REMOVEDIR : 0) != 0) return;
  if (!SameTime(parent.st_mtim, stub.parent_afterwards)) return;  // the step changed this folder itself
  const UniqueFd readable = Readable(stub.parent.get());
  const timespec times[2] = {stub.parent_accessed, stub.parent_modified};
  if (readable.is_valid()) ::futimens(readable.get(), times);
}

absl::Status MakeDirectories(const RootDir& root, const std::string& path) {
  std::string walked;
  for (absl::string_view name : absl::StrSplit(path, '/', absl::SkipEmpty())) {
    const std::string parent_path = walked;
    absl::StrAppend(&walked, "/", name);
    auto existing = root.OpenInside(walked, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    if (existing.ok()) continue;
    if (!absl::IsNotFound(existing.status())) return InTheWay(walked);
    STRATA_ASSIGN_OR_RETURN(const UniqueFd parent, root.OpenInside(parent_path, O_PATH | O_DIRECTORY));
    // The chmod makes the mode independent of this process's umask.
    const std::string component(name);
    if (::mkdirat(parent.get(), component.c_str(), 0755) != 0 || ::fchmodat(parent.get(), component.c_str(), 0755, 0) != 0) {
      return ErrnoStatus(errno, absl::StrCat("creating the working directory \"", path.substr(0, 200), "\""));
    }
  }
  return absl::OkStatus();
}

}  // namespace strata::executor
