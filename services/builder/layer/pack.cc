#include "services/builder/layer/pack.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/fs/beneath.h"
#include "lib/fs/tree_walk.h"
#include "lib/fs/xattr.h"
#include "lib/tar/writer.h"

namespace strata::layer {
namespace {

std::string Quoted(absl::string_view path) { return absl::StrCat("\"", absl::CHexEscape(path), "\""); }

std::string Sibling(absl::string_view path, absl::string_view name) {
  const size_t slash = path.rfind('/');
  return slash == absl::string_view::npos ? std::string(name) : absl::StrCat(path.substr(0, slash), "/", name);
}

class Packer {
 public:
  Packer(ByteSink& tar_out, const PackOptions& options)
      : options_(options),
        opaque_xattr_(OverlayXattr(options.overlay_xattrs, "opaque")),
        redirect_xattr_(OverlayXattr(options.overlay_xattrs, "redirect")),
        metacopy_xattr_(OverlayXattr(options.overlay_xattrs, "metacopy")),
        writer_(tar_out) {
    for (const std::string& path : options.excludes) excludes_.insert(fs::CleanPath(path));
  }

  absl::StatusOr<PackStats> Run(int upper_fd) {
    STRATA_RETURN_IF_ERROR(fs::WalkTree(upper_fd, [this](const fs::WalkEntry& at) { return Pack(at); }));
    STRATA_RETURN_IF_ERROR(writer_.Finish());
    return stats_;
  }

 private:
  absl::StatusOr<fs::WalkAction> Pack(const fs::WalkEntry& at) {
    if (excludes_.contains(at.path)) return fs::WalkAction::kSkipSubtree;
    if (IsWhiteoutDevice(at.stat)) {
      STRATA_RETURN_IF_ERROR(WriteWhiteout(Sibling(at.path, absl::StrCat(kWhiteoutPrefix, at.name))));
      return fs::WalkAction::kContinue;
    }
    if (absl::StartsWith(at.name, kWhiteoutPrefix)) {
      return absl::InvalidArgumentError(
          absl::StrCat(Quoted(at.path), ": names that start with \".wh.\" mean deletions in image layers; rename the file"));
    }
    if (S_ISSOCK(at.stat.st_mode)) {
      ++stats_.sockets_skipped;
      return fs::WalkAction::kContinue;
    }
    tar::Entry entry = Describe(at.path, at.stat);
    bool is_opaque = false;
    STRATA_RETURN_IF_ERROR(ReadXattrs(at, entry, is_opaque));
    STRATA_RETURN_IF_ERROR(Write(at, entry));
    if (is_opaque) STRATA_RETURN_IF_ERROR(WriteWhiteout(absl::StrCat(at.path, "/", kOpaqueName)));
    return fs::WalkAction::kContinue;
  }

  tar::Entry Describe(const std::string& path, const struct stat& stat) const {
    tar::Entry entry;
    entry.name = path;
    entry.mode = stat.st_mode & 07777;
    entry.uid = stat.st_uid;
    entry.gid = stat.st_gid;
    entry.mtime = absl::FromUnixSeconds(stat.st_mtim.tv_sec);
    if (options_.clamp_mtime.has_value()) entry.mtime = std::min(entry.mtime, *options_.clamp_mtime);
    return entry;
  }

  absl::Status ReadXattrs(const fs::WalkEntry& at, tar::Entry& entry, bool& is_opaque) const {
    STRATA_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs::ListXattrsAt(at.parent_fd, at.name));
    for (const std::string& name : names) {
      if (name == redirect_xattr_ || name == metacopy_xattr_) {
        return absl::FailedPreconditionError(absl::StrCat(
            Quoted(at.path), ": the overlay was mounted with redirect_dir or metacopy on; mount it with both off, else the change is incomplete"));
      }
      if (IsOverlayXattr(name) && name != opaque_xattr_) continue;
      STRATA_ASSIGN_OR_RETURN(std::optional<std::string> value, fs::GetXattrAt(at.parent_fd, at.name, name));
      if (!value.has_value()) continue;
      if (name == opaque_xattr_) {
        is_opaque = S_ISDIR(at.stat.st_mode) && *value == "y";
      } else {
        entry.xattrs[name] = *std::move(value);
      }
    }
    return absl::OkStatus();
  }

  absl::Status Write(const fs::WalkEntry& at, tar::Entry& entry) {
    ++stats_.entries;
    const mode_t type = at.stat.st_mode & S_IFMT;
    if (type != S_IFDIR && at.stat.st_nlink > 1) {
      const auto [first, is_first] = links_.emplace(std::pair(at.stat.st_dev, at.stat.st_ino), at.path);
      if (!is_first) {
        entry.type = tar::EntryType::kHardLink;
        entry.link_name = first->second;
        entry.xattrs.clear();
        return writer_.WriteHeader(entry);
      }
    }
    switch (type) {
      case S_IFREG: return WriteFile(at, entry);
      case S_IFDIR: entry.type = tar::EntryType::kDirectory; break;
      case S_IFIFO: entry.type = tar::EntryType::kFifo; break;
      case S_IFLNK: {
        entry.type = tar::EntryType::kSymlink;
        STRATA_ASSIGN_OR_RETURN(entry.link_name, fs::ReadLinkAt(at.parent_fd, at.name));
        break;
      }
      case S_IFCHR:
      case S_IFBLK:
        entry.type = type == S_IFCHR ? tar::EntryType::kCharDevice : tar::EntryType::kBlockDevice;
        entry.dev_major = major(at.stat.st_rdev);
        entry.dev_minor = minor(at.stat.st_rdev);
        break;
      default: return absl::InternalError(absl::StrCat(Quoted(at.path), ": a file of an unknown type"));
    }
    return writer_.WriteHeader(entry);
  }

  absl::Status WriteFile(const fs::WalkEntry& at, tar::Entry& entry) {
    // O_NONBLOCK: should a fifo have taken its place meanwhile, opening must not wait for a writer.
    const UniqueFd fd(::openat(at.parent_fd, at.name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat stat;
    if (!fd.is_valid() || ::fstat(fd.get(), &stat) != 0) return ErrnoStatus(errno, absl::StrCat("open ", Quoted(at.path)));
    if (stat.st_ino != at.stat.st_ino || !S_ISREG(stat.st_mode)) {
      return absl::AbortedError(absl::StrCat(Quoted(at.path), " was replaced while the layer was written"));
    }
    entry.size = static_cast<uint64_t>(stat.st_size);
    stats_.content_bytes += entry.size;
    FdSource content(fd.get());
    return writer_.WriteEntry(entry, content);
  }

  // Owner, mode and time of a whiteout mean nothing. Overlayfs shares one device among all, with the time of the first: zeros keep
  // equal steps equal.
  absl::Status WriteWhiteout(const std::string& path) {
    ++stats_.entries;
    ++stats_.whiteouts;
    tar::Entry entry;
    entry.name = path;
    entry.mode = 0;
    return writer_.WriteHeader(entry);
  }

  const PackOptions& options_;
  const std::string opaque_xattr_;
  const std::string redirect_xattr_;
  const std::string metacopy_xattr_;
  absl::flat_hash_set<std::string> excludes_;
  absl::flat_hash_map<std::pair<dev_t, ino_t>, std::string> links_;  // first path of each file with several names
  tar::Writer writer_;
  PackStats stats_;
};

}  // namespace

absl::StatusOr<PackStats> PackOverlayUpper(int upper_fd, ByteSink& tar_out, const PackOptions& options) {
  return Packer(tar_out, options).Run(upper_fd);
}

}  // namespace strata::layer
