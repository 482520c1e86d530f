#include "services/store/backup/extent_copier.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "lib/base/status.h"
#include "lib/fs/copy.h"
#include "lib/fs/dir.h"
#include "services/store/engine/extent_files.h"

namespace strata::store {

namespace {

std::string ShardName(int shard) { return absl::StrFormat("%02x", shard); }

absl::StatusOr<UniqueFd> OpenFolderAt(int at, const std::string& path) {
  UniqueFd fd(::openat(at, path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.is_valid()) return ErrnoStatus(errno, "open a folder of extents");
  return fd;
}

bool IsSame(const struct stat& a, const struct stat& b) {
  return S_ISREG(b.st_mode) && a.st_size == b.st_size && a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ExtentCopier>> ExtentCopier::Open(const std::string& from, const std::string& to,
                                                                 const std::vector<std::string>& older) {
  std::unique_ptr<ExtentCopier> copier(new ExtentCopier());
  STRATA_ASSIGN_OR_RETURN(copier->from_, OpenFolderAt(AT_FDCWD, from));
  if (::mkdir(to.c_str(), 0700) != 0) return ErrnoStatus(errno, "make a folder of extents");
  STRATA_ASSIGN_OR_RETURN(copier->to_, OpenFolderAt(AT_FDCWD, to));
  for (int shard = 0; shard < 256; ++shard) {
    if (::mkdirat(copier->to_.get(), ShardName(shard).c_str(), 0700) != 0) return ErrnoStatus(errno, "make a folder of extents");
  }
  for (const std::string& path : older) {
    absl::StatusOr<UniqueFd> fd = OpenFolderAt(AT_FDCWD, path);
    if (fd.ok()) copier->older_.push_back(*std::move(fd));
  }
  return copier;
}

absl::Status ExtentCopier::Copy(const CallContext& context, uint64_t id, uint64_t size_bytes) {
  const std::string path = ExtentPath(id);
  struct stat info = {};
  if (::fstatat(from_.get(), path.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno != ENOENT) return ErrnoStatus(errno, absl::StrCat("stat extent ", path));
    return absl::DataLossError(absl::StrCat("extent ", path, " is missing; strata store verify says which blob needs it"));
  }
  if (static_cast<uint64_t>(info.st_size) != size_bytes) {
    return absl::DataLossError(absl::StrCat("extent ", path, " has ", info.st_size, " bytes, not ", size_bytes,
                                            "; strata store verify says which blob needs it"));
  }
  if (links_from_store_) {
    STRATA_ASSIGN_OR_RETURN(links_from_store_, Link(from_.get(), path));
    if (links_from_store_) return absl::OkStatus();
  }
  for (const UniqueFd& older : older_) {
    struct stat old = {};
    if (::fstatat(older.get(), path.c_str(), &old, AT_SYMLINK_NOFOLLOW) != 0 || !IsSame(info, old)) continue;
    STRATA_ASSIGN_OR_RETURN(const bool is_linked, Link(older.get(), path));
    if (is_linked) return absl::OkStatus();
  }
  STRATA_RETURN_IF_ERROR(context.Check());
  return CopyBytes(from_.get(), path, size_bytes);
}

absl::StatusOr<bool> ExtentCopier::Link(int from, const std::string& path) {
  if (::linkat(from, path.c_str(), to_.get(), path.c_str(), 0) == 0) {
    ++linked_;
    return true;
  }
  switch (errno) {
    case EXDEV: case EPERM: case EMLINK: case EOPNOTSUPP: case ENOSYS: return false;
    default: return ErrnoStatus(errno, absl::StrCat("link extent ", path));
  }
}

absl::Status ExtentCopier::CopyBytes(int from, const std::string& path, uint64_t size_bytes) {
  const UniqueFd in(::openat(from, path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!in.is_valid()) return ErrnoStatus(errno, absl::StrCat("open extent ", path));
  const UniqueFd out(::openat(to_.get(), path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!out.is_valid()) return ErrnoStatus(errno, absl::StrCat("make extent ", path));
  STRATA_ASSIGN_OR_RETURN(const uint64_t copied, fs::CopyFileContents(in.get(), out.get()));
  if (copied != size_bytes) return absl::DataLossError(absl::StrCat("extent ", path, " has ", copied, " bytes, not ", size_bytes));
  struct stat info = {};
  if (::fstat(in.get(), &info) != 0) return ErrnoStatus(errno, absl::StrCat("stat extent ", path));
  const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, info.st_mtim};
  if (::futimens(out.get(), times) != 0) return ErrnoStatus(errno, absl::StrCat("set the time of extent ", path));
  if (::fsync(out.get()) != 0) return ErrnoStatus(errno, absl::StrCat("fsync extent ", path));
  // Both were needed once.
  ::posix_fadvise(in.get(), 0, 0, POSIX_FADV_DONTNEED);
  ::posix_fadvise(out.get(), 0, 0, POSIX_FADV_DONTNEED);
  bytes_copied_ += static_cast<int64_t>(copied);
  return absl::OkStatus();
}

absl::Status ExtentCopier::Sync() {
  for (int shard = 0; shard < 256; ++shard) {
    STRATA_ASSIGN_OR_RETURN(const UniqueFd fd, OpenFolderAt(to_.get(), ShardName(shard)));
    STRATA_RETURN_IF_ERROR(fs::SyncDirectory(fd.get()));
  }
  return fs::SyncDirectory(to_.get());
}

absl::Status SyncTree(const std::string& path) {
  STRATA_ASSIGN_OR_RETURN(const UniqueFd folder, fs::OpenDirectory(path));
  STRATA_ASSIGN_OR_RETURN(const std::vector<fs::DirEntry> entries, fs::ListDirectory(folder.get()));
  for (const fs::DirEntry& entry : entries) {
    const UniqueFd file(::openat(folder.get(), entry.name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file.is_valid()) return ErrnoStatus(errno, absl::StrCat("open ", entry.name));
    struct stat info = {};
    if (::fstat(file.get(), &info) != 0) return ErrnoStatus(errno, absl::StrCat("stat ", entry.name));
    if (S_ISDIR(info.st_mode)) {
      STRATA_RETURN_IF_ERROR(SyncTree(absl::StrCat(path, "/", entry.name)));
    } else if (::fsync(file.get()) != 0) {
      return ErrnoStatus(errno, absl::StrCat("fsync ", entry.name));
    }
  }
  return fs::SyncDirectory(folder.get());
}

}  // namespace strata::store
