#include "services/builder/layer/lower_view.h"

#include <fcntl.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_split.h"
#include "lib/base/status.h"
#include "lib/fs/xattr.h"

namespace strata::layer {

LowerView::LowerView(std::vector<int> lower_dirs, OverlayXattrs overlay_xattrs)
    : lower_dirs_(std::move(lower_dirs)), opaque_xattr_(OverlayXattr(overlay_xattrs, "opaque")) {}

absl::StatusOr<std::optional<LowerView::Found>> LowerView::Lookup(absl::string_view path) const {
  // The directories that make up the merged parent, the nearest first.
  std::vector<UniqueFd> merged;
  for (const int fd : lower_dirs_) {
    merged.emplace_back(::openat(fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!merged.back().is_valid()) return ErrnoStatus(errno, "open a lower layer");
  }
  const std::vector<std::string> parts = absl::StrSplit(path, '/');
  for (size_t i = 0; i < parts.size(); ++i) {
    std::vector<UniqueFd> next;
    for (UniqueFd& directory : merged) {
      struct stat stat;
      if (::fstatat(directory.get(), parts[i].c_str(), &stat, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT) continue;
        return ErrnoStatus(errno, "look into a lower layer");
      }
      if (IsWhiteoutDevice(stat)) break;
      if (i + 1 == parts.size()) return std::optional<Found>(Found{std::move(directory), parts[i], stat});
      if (!S_ISDIR(stat.st_mode)) break;
      next.emplace_back(::openat(directory.get(), parts[i].c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (!next.back().is_valid()) return ErrnoStatus(errno, "open a directory of a lower layer");
      STRATA_ASSIGN_OR_RETURN(const std::optional<std::string> opaque, fs::GetXattrAt(directory.get(), parts[i], opaque_xattr_));
      if (opaque == "y") break;
    }
    if (next.empty()) break;
    merged = std::move(next);
  }
  return std::optional<Found>();
}

}  // namespace strata::layer
