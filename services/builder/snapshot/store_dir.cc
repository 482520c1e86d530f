#include "services/builder/snapshot/store_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/bytes/byte_stream.h"
#include "lib/fs/dir.h"
#include "services/builder/snapshot/overlay_mount.h"

namespace strata::snapshot {
namespace {

constexpr size_t kMaxRecordBytes = 64 * 1024;

absl::Status MakeFolder(int store_fd, const std::string& relative) {
  if (::mkdirat(store_fd, relative.c_str(), 0755) != 0 && errno != EEXIST) return ErrnoStatus(errno, absl::StrCat("creating ", relative, " in the snapshot folder"));
  if (::fchmodat(store_fd, relative.c_str(), 0755, 0) != 0) return ErrnoStatus(errno, absl::StrCat("the mode of ", relative));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> Names(int store_fd, const char* folder) {
  const UniqueFd fd(::openat(store_fd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.is_valid()) return ErrnoStatus(errno, absl::StrCat("opening ", folder, " of the snapshot folder"));
  STRATA_ASSIGN_OR_RETURN(const std::vector<fs::DirEntry> entries, fs::ListDirectory(fd.get()));
  std::vector<std::string> names;
  for (const fs::DirEntry& entry : entries) names.push_back(entry.name);
  return names;
}

std::string RecordPath(uint64_t number) { return absl::StrCat("i/", number); }

}  // namespace

std::string StoreDir::LayerPath(uint64_t number) { return absl::StrCat("l/", number); }

absl::StatusOr<std::unique_ptr<StoreDir>> StoreDir::Open(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return ErrnoStatus(error.value(), "creating the snapshot folder");
  // The mount table knows real names only.
  const std::string real = std::filesystem::canonical(path, error).string();
  if (error) return ErrnoStatus(error.value(), "the snapshot folder");
  ::chmod(real.c_str(), 0700);
  STRATA_ASSIGN_OR_RETURN(UniqueFd fd, fs::OpenDirectory(real));
  UniqueFd lock(::openat(fd.get(), "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock.is_valid()) return ErrnoStatus(errno, "opening the lock of the snapshot folder");
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError("the snapshot folder is in use by another builder; stop it or configure another folder");
  }
  std::unique_ptr<StoreDir> dir(new StoreDir(real, std::move(fd), std::move(lock)));
  STRATA_RETURN_IF_ERROR(dir->Prepare());
  return dir;
}

StoreDir::~StoreDir() { ::umount2(Absolute("m").c_str(), UMOUNT_NOFOLLOW | MNT_DETACH); }

absl::Status StoreDir::Prepare() {
  STRATA_RETURN_IF_ERROR(UnmountAllBelow(path_));
  for (const char* folder : {"l", "i", "t", "w", "m", "e", "f"}) STRATA_RETURN_IF_ERROR(MakeFolder(fd(), folder));
  for (const char* folder : {"l", "i", "t", "w", "m"}) {
    STRATA_ASSIGN_OR_RETURN(const std::vector<std::string> names, Names(fd(), folder));
    for (const std::string& name : names) {
      uint64_t number = 0;
      if (absl::SimpleAtoi(name, &number)) next_number_ = std::max<uint64_t>(next_number_, number + 1);
    }
  }
  STRATA_ASSIGN_OR_RETURN(const std::vector<std::string> workspaces, Names(fd(), "w"));
  for (const std::string& name : workspaces) STRATA_RETURN_IF_ERROR(MoveToTrash(absl::StrCat("w/", name)).status());
  STRATA_ASSIGN_OR_RETURN(const std::vector<std::string> mount_points, Names(fd(), "m"));
  for (const std::string& name : mount_points) STRATA_RETURN_IF_ERROR(Delete(absl::StrCat("m/", name)));
  return ShareMounts();
}

absl::Status StoreDir::ShareMounts() {
  const std::string path = Absolute("m");
  if (::mount(path.c_str(), path.c_str(), nullptr, MS_BIND, nullptr) == 0 && ::mount(nullptr, path.c_str(), nullptr, MS_SHARED, nullptr) == 0) {
    return absl::OkStatus();
  }
  if (errno == EPERM) return absl::FailedPreconditionError("this process may not mount: run the builder as root, with CAP_SYS_ADMIN");
  return ErrnoStatus(errno, "preparing mounts in the snapshot folder");
}

absl::StatusOr<std::vector<StoredLayer>> StoreDir::LoadLayers() {
  const std::string boot = CurrentBoot();
  std::vector<StoredLayer> layers;
  absl::flat_hash_set<std::string> complete;
  STRATA_ASSIGN_OR_RETURN(const std::vector<std::string> records, Names(fd(), "i"));
  for (const std::string& name : records) {
    const UniqueFd file(::openat(fd(), absl::StrCat("i/", name).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file.is_valid()) return ErrnoStatus(errno, "opening the record of a layer");
    FdSource source(file.get());
    STRATA_ASSIGN_OR_RETURN(const std::string text, ReadAll(source, kMaxRecordBytes));
    const auto record = ParseRecord(text);
    struct stat info = {};
    uint64_t number = 0;
    const bool is_safe = record.ok() && (record->unsynced_boot.empty() || record->unsynced_boot == boot) && absl::SimpleAtoi(name, &number) &&
                         ::fstatat(fd(), LayerPath(number).c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode);
    if (!is_safe || ::fstat(file.get(), &info) != 0) {
      if (::unlinkat(fd(), absl::StrCat("i/", name).c_str(), 0) != 0) return ErrnoStatus(errno, "removing the record of a layer");
      continue;
    }
    complete.insert(name);
    layers.push_back({.number = number, .record = *record, .last_used = absl::TimeFromTimespec(info.st_mtim)});
  }
  STRATA_ASSIGN_OR_RETURN(const std::vector<std::string> folders, Names(fd(), "l"));
  for (const std::string& name : folders) {
    if (!complete.contains(name)) STRATA_RETURN_IF_ERROR(MoveToTrash(absl::StrCat("l/", name)).status());
  }
  return layers;
}

absl::StatusOr<std::string> StoreDir::NewFolder(const char* parent) {
  const std::string relative = absl::StrCat(parent, "/", next_number_.fetch_add(1));
  STRATA_RETURN_IF_ERROR(MakeFolder(fd(), relative));
  return relative;
}

absl::StatusOr<std::string> StoreDir::NewScratch() { return NewFolder("t"); }
absl::StatusOr<std::string> StoreDir::NewMountPoint() { return NewFolder("m"); }
absl::StatusOr<std::string> StoreDir::NewWorkspace() {
  STRATA_ASSIGN_OR_RETURN(const std::string relative, NewFolder("w"));
  for (const char* name : {"/u", "/k"}) STRATA_RETURN_IF_ERROR(MakeFolder(fd(), relative + name));
  return relative;
}

absl::Status StoreDir::WriteRecord(uint64_t number, const LayerRecord& record) {
  const std::string temporary = absl::StrCat("t/r", number);
  UniqueFd file(::openat(fd(), temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file.is_valid()) return ErrnoStatus(errno, "creating the record of a layer");
  STRATA_RETURN_IF_ERROR(WriteFully(file.get(), FormatRecord(record)));
  if (::renameat(fd(), temporary.c_str(), fd(), RecordPath(number).c_str()) != 0) return ErrnoStatus(errno, "naming the record of a layer");
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> StoreDir::Adopt(const std::string& relative, const LayerRecord& record) {
  const uint64_t number = next_number_.fetch_add(1);
  if (::renameat(fd(), relative.c_str(), fd(), LayerPath(number).c_str()) != 0) return ErrnoStatus(errno, "keeping a layer");
  STRATA_RETURN_IF_ERROR(WriteRecord(number, record));
  return number;
}

absl::StatusOr<std::string> StoreDir::Retire(uint64_t number) {
  if (::unlinkat(fd(), RecordPath(number).c_str(), 0) != 0 && errno != ENOENT) return ErrnoStatus(errno, "removing the record of a layer");
  return MoveToTrash(LayerPath(number));
}

absl::StatusOr<std::string> StoreDir::MoveToTrash(const std::string& relative) {
  const std::string name = absl::StrCat("t/", next_number_.fetch_add(1));
  if (::renameat(fd(), relative.c_str(), fd(), name.c_str()) != 0) return ErrnoStatus(errno, absl::StrCat("moving ", relative, " of the snapshot folder away"));
  return name;
}

absl::Status StoreDir::Delete(const std::string& relative) { return fs::RemoveAllAt(fd(), relative); }

absl::StatusOr<std::vector<std::string>> StoreDir::Trash() {
  STRATA_ASSIGN_OR_RETURN(std::vector<std::string> names, Names(fd(), "t"));
  for (std::string& name : names) name = absl::StrCat("t/", name);
  return names;
}

void StoreDir::Touch(uint64_t number, absl::Time used) {
  const timespec times[2] = {absl::ToTimespec(used), absl::ToTimespec(used)};
  // Only the order of eviction after a restart depends on it.
  ::utimensat(fd(), RecordPath(number).c_str(), times, AT_SYMLINK_NOFOLLOW);
}

void StoreDir::SyncLayers(const std::vector<StoredLayer>& layers) {
  if (::syncfs(fd()) != 0) return;
  for (StoredLayer layer : layers) {
    layer.record.unsynced_boot.clear();
    if (WriteRecord(layer.number, layer.record).ok()) Touch(layer.number, layer.last_used);
  }
}

}  // namespace strata::snapshot
