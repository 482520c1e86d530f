#include "services/builder/snapshot/mounts.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/fs/tree_walk.h"
#include "lib/fs/xattr.h"
#include "services/builder/layer/whiteout.h"

namespace strata::snapshot {
namespace {

constexpr int64_t kStatBlockBytes = 512;

absl::StatusOr<std::map<std::string, std::string>> PlainXattrs(int fd) {
  STRATA_ASSIGN_OR_RETURN(auto xattrs, fs::ReadXattrsAt(fd, "."));
  for (auto it = xattrs.begin(); it != xattrs.end();) it = layer::IsOverlayXattr(it->first) ? xattrs.erase(it) : std::next(it);
  return xattrs;
}

absl::StatusOr<UniqueFd> OpenFolder(int store_fd, const std::string& relative, int flags) {
  UniqueFd fd(::openat(store_fd, relative.c_str(), flags | O_DIRECTORY | O_CLOEXEC));
  if (!fd.is_valid()) return ErrnoStatus(errno, absl::StrCat("opening ", relative, " of the snapshot folder"));
  return fd;
}

// The merged root shows owner, mode and attributes of the topmost folder: so a new one takes those of the one below. But not its mode:
// a layer does not carry the root's, so under dockerd and containerd it is 0755 in every container, whatever the base says.
absl::Status CopyRootMetadata(int from_fd, int to_fd) {
  struct stat from = {};
  if (::fstat(from_fd, &from) != 0) return ErrnoStatus(errno, "fstat of a layer");
  if (::fchown(to_fd, from.st_uid, from.st_gid) != 0 || ::fchmod(to_fd, 0755) != 0) return ErrnoStatus(errno, "the root of a workspace");
  STRATA_ASSIGN_OR_RETURN(const auto xattrs, PlainXattrs(from_fd));
  for (const auto& [name, value] : xattrs) STRATA_RETURN_IF_ERROR(fs::SetXattrAt(to_fd, ".", name, value));
  const timespec times[2] = {from.st_atim, from.st_mtim};
  if (::futimens(to_fd, times) != 0) return ErrnoStatus(errno, "the root of a workspace");
  return absl::OkStatus();
}

absl::StatusOr<int64_t> DiskUsage(int fd) {
  int64_t bytes = 0;
  STRATA_RETURN_IF_ERROR(fs::WalkTree(fd, [&](const fs::WalkEntry& entry) -> absl::StatusOr<fs::WalkAction> {
    bytes += static_cast<int64_t>(entry.stat.st_blocks) * kStatBlockBytes;
    return fs::WalkAction::kContinue;
  }));
  return bytes;
}

}  // namespace

absl::StatusOr<bool> SameDirectoryMetadata(int first_fd, int second_fd) {
  struct stat first = {};
  struct stat second = {};
  if (::fstat(first_fd, &first) != 0 || ::fstat(second_fd, &second) != 0) return ErrnoStatus(errno, "fstat of a layer");
  if (first.st_uid != second.st_uid || first.st_gid != second.st_gid || first.st_mode != second.st_mode) return false;
  STRATA_ASSIGN_OR_RETURN(const auto first_xattrs, PlainXattrs(first_fd));
  STRATA_ASSIGN_OR_RETURN(const auto second_xattrs, PlainXattrs(second_fd));
  return first_xattrs == second_xattrs;
}

std::vector<std::string> PinnedStack::LowerFolders(size_t least) const {
  std::vector<std::string> folders;
  for (auto pin = pins_.rbegin(); pin != pins_.rend(); ++pin) {
    // The kernel refuses a folder twice. The topmost is enough: all that a lower one shows or hides, it shows or hides as well.
    if (std::find(folders.begin(), folders.end(), (*pin)->path()) == folders.end()) folders.push_back((*pin)->path());
  }
  for (const char* empty : {"e", "f"}) {
    if (folders.size() < least) folders.push_back(empty);
  }
  return folders;
}

absl::StatusOr<std::unique_ptr<MountPoint>> MountPoint::Mount(StoreDir& dir, OverlayMount mount) {
  STRATA_ASSIGN_OR_RETURN(mount.target, dir.NewMountPoint());
  std::unique_ptr<MountPoint> point(new MountPoint(dir, mount.target));
  STRATA_RETURN_IF_ERROR(MountOverlay(dir.fd(), mount));
  point->is_mounted_ = true;
  STRATA_ASSIGN_OR_RETURN(point->fd_, OpenFolder(dir.fd(), mount.target, O_PATH));
  return point;
}

MountPoint::~MountPoint() {
  // What stays mounted is unmounted at the next start.
  if (Unmount().ok()) ::unlinkat(dir_.fd(), relative_.c_str(), AT_REMOVEDIR);
}

absl::Status MountPoint::Unmount() {
  if (!is_mounted_) return absl::OkStatus();
  fd_.Reset();
  STRATA_RETURN_IF_ERROR(UnmountTree(path_));
  is_mounted_ = false;
  return absl::OkStatus();
}

OverlayWorkspace::~OverlayWorkspace() {
  mount_.reset();
  upper_.Reset();
  auto trash = dir_.MoveToTrash(relative_);
  if (trash.ok()) janitor_.Delete(*std::move(trash));
}

absl::Status OverlayWorkspace::Mount(std::shared_ptr<const Stack> stack, std::vector<std::string> lower, bool is_volatile) {
  const std::string upper = relative_ + "/u";
  STRATA_ASSIGN_OR_RETURN(upper_, OpenFolder(dir_.fd(), upper, O_RDONLY));
  STRATA_ASSIGN_OR_RETURN(const UniqueFd below, OpenFolder(dir_.fd(), lower.front(), O_RDONLY));
  STRATA_RETURN_IF_ERROR(CopyRootMetadata(below.get(), upper_.get()));
  stack_ = std::move(stack);
  STRATA_ASSIGN_OR_RETURN(
      mount_, MountPoint::Mount(dir_, {.lower = std::move(lower), .upper = upper, .work = relative_ + "/k", .is_volatile = is_volatile}));
  return absl::OkStatus();
}

absl::Status OverlayWorkspace::Seal() {
  STRATA_RETURN_IF_ERROR(mount_->Unmount());
  is_sealed_ = true;
  return absl::OkStatus();
}

absl::Status OverlayWorkspace::Keep(const Digest& diff_id) {
  if (!is_sealed_) return absl::FailedPreconditionError("a workspace must be sealed before its layer can be kept");
  STRATA_ASSIGN_OR_RETURN(const int64_t size_bytes, DiskUsage(upper_.get()));
  return cache_.Add(diff_id, relative_ + "/u", size_bytes);
}

}  // namespace strata::snapshot
