#include "services/store/backup/restore.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/fs/copy.h"
#include "lib/fs/dir.h"
#include "services/store/backup/extent_copier.h"

namespace strata::store {

namespace {

constexpr char kRestoring[] = ".restoring";  // StoreEngine::Open refuses a folder that has it

// What an unfinished restore left is removed; a store never ran on it.
absl::StatusOr<UniqueFd> OpenEmpty(const std::string& data_dir) {
  if (::mkdir(data_dir.c_str(), 0700) != 0 && errno != EEXIST) return ErrnoStatus(errno, absl::StrCat("make ", data_dir));
  STRATA_ASSIGN_OR_RETURN(UniqueFd fd, fs::OpenDirectory(data_dir));
  if (::faccessat(fd.get(), kRestoring, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
    for (const char* name : {"meta", "extents"}) STRATA_RETURN_IF_ERROR(fs::RemoveAllAt(fd.get(), name));
  }
  STRATA_ASSIGN_OR_RETURN(const std::vector<fs::DirEntry> entries, fs::ListDirectory(fd.get()));
  for (const fs::DirEntry& entry : entries) {
    if (entry.name == kRestoring || entry.name == "lost+found") continue;
    return absl::FailedPreconditionError(absl::StrCat(data_dir, " is not empty (\"", entry.name, "\" is in it); restore into a new folder, or move the old one away first"));
  }
  STRATA_RETURN_IF_ERROR(fs::RemoveAllAt(fd.get(), kRestoring));
  return fd;
}

// Copies the file `name`, synced, with its time of last change.
absl::Status CopyFile(const CallContext& context, int from, int to, const std::string& name, RestoreSummary& summary) {
  STRATA_RETURN_IF_ERROR(context.Check());
  const UniqueFd in(::openat(from, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!in.is_valid()) return ErrnoStatus(errno, absl::StrCat("open ", name));
  struct stat info = {};
  if (::fstat(in.get(), &info) != 0) return ErrnoStatus(errno, absl::StrCat("stat ", name));
  const UniqueFd out(::openat(to, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!out.is_valid()) return ErrnoStatus(errno, absl::StrCat("make ", name));
  STRATA_ASSIGN_OR_RETURN(const uint64_t copied, fs::CopyFileContents(in.get(), out.get()));
  // Later backups know extents by it.
  const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, info.st_mtim};
  if (::futimens(out.get(), times) != 0) return ErrnoStatus(errno, absl::StrCat("set the time of ", name));
  if (::fsync(out.get()) != 0) return ErrnoStatus(errno, absl::StrCat("fsync ", name));
  ::posix_fadvise(in.get(), 0, 0, POSIX_FADV_DONTNEED);
  summary.bytes += static_cast<int64_t>(copied);
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> MakeFolderAt(int at, const std::string& name) {
  if (::mkdirat(at, name.c_str(), 0700) != 0) return ErrnoStatus(errno, absl::StrCat("make ", name));
  UniqueFd fd(::openat(at, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.is_valid()) return ErrnoStatus(errno, absl::StrCat("open ", name));
  return fd;
}

absl::Status CopyTree(const CallContext& context, const std::string& from, int to_parent, const std::string& name, int depth,
                      RestoreSummary& summary) {
  STRATA_ASSIGN_OR_RETURN(const UniqueFd in, fs::OpenDirectory(from));
  STRATA_ASSIGN_OR_RETURN(const UniqueFd out, MakeFolderAt(to_parent, name));
  STRATA_ASSIGN_OR_RETURN(const std::vector<fs::DirEntry> entries, fs::ListDirectory(in.get()));
  for (const fs::DirEntry& entry : entries) {
    struct stat info = {};
    if (::fstatat(in.get(), entry.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return ErrnoStatus(errno, absl::StrCat("stat ", entry.name));
    if (S_ISDIR(info.st_mode) && depth > 0) {
      STRATA_RETURN_IF_ERROR(CopyTree(context, absl::StrCat(from, "/", entry.name), out.get(), entry.name, depth - 1, summary));
    } else if (S_ISREG(info.st_mode)) {
      STRATA_RETURN_IF_ERROR(CopyFile(context, in.get(), out.get(), entry.name, summary));
      if (depth == 0 && name.size() == 2) ++summary.extents;
    }
  }
  return fs::SyncDirectory(out.get());
}

}  // namespace

absl::StatusOr<RestoreSummary> Restore(const CallContext& context, const std::string& from, const std::string& data_dir, bool accept_damage,
                                       VerifyObserver& observer) {
  RestoreSummary summary;
  STRATA_ASSIGN_OR_RETURN(summary.backup, FindBackup(from));
  STRATA_ASSIGN_OR_RETURN(const UniqueFd data, OpenEmpty(data_dir));
  const std::string restoring = absl::StrCat(data_dir, "/", kRestoring);
  {
    STRATA_ASSIGN_OR_RETURN(const UniqueFd making, MakeFolderAt(data.get(), kRestoring));
    STRATA_RETURN_IF_ERROR(observer.OnProgress({.stage = "copying"}));
    STRATA_RETURN_IF_ERROR(CopyTree(context, absl::StrCat(summary.backup, "/extents"), making.get(), "extents", 1, summary));
    STRATA_RETURN_IF_ERROR(CopyTree(context, absl::StrCat(summary.backup, "/meta"), making.get(), "meta", 0, summary));
  }
  STRATA_ASSIGN_OR_RETURN(summary.verified, VerifyFolder(context, restoring, /*is_deep=*/true, observer));
  if (summary.verified.findings > 0 && !accept_damage) {
    return absl::DataLossError(absl::StrCat("the backup ", summary.backup, " is damaged: ", summary.verified.findings,
                                            " findings; restore an older one, or --accept-damage to have what is sound"));
  }
  // The metadata last: without it there is no store.
  for (const char* name : {"extents", "meta"}) {
    const std::string source = absl::StrCat(kRestoring, "/", name);
    if (::renameat(data.get(), source.c_str(), data.get(), name) != 0) return ErrnoStatus(errno, absl::StrCat("move ", name, " into place"));
    STRATA_RETURN_IF_ERROR(fs::SyncDirectory(data.get()));
  }
  STRATA_RETURN_IF_ERROR(fs::RemoveAllAt(data.get(), kRestoring));
  return summary;
}

}  // namespace strata::store
