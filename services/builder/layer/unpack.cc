#include "services/builder/layer/unpack.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/fs/beneath.h"
#include "lib/fs/dir.h"
#include "lib/fs/xattr.h"
#include "lib/tar/reader.h"
#include "services/builder/layer/copy_up.h"
#include "services/builder/layer/lower_view.h"
#include "services/builder/layer/parent_dirs.h"

namespace strata::layer {
namespace {

std::string Quoted(absl::string_view path) { return absl::StrCat("\"", absl::CHexEscape(path.substr(0, 300)), "\""); }

struct SplitPath {
  absl::string_view parent;
  std::string name;
};
SplitPath Split(absl::string_view clean) {
  const size_t slash = clean.rfind('/');
  if (slash == absl::string_view::npos) return {"", std::string(clean)};
  return {clean.substr(0, slash), std::string(clean.substr(slash + 1))};
}

// The clean form of a name in the archive. kInvalidArgument: its ".." lead out of the root.
absl::StatusOr<std::string> CleanName(absl::string_view name) {
  int depth = 0;
  for (const absl::string_view part : absl::StrSplit(name, '/')) {
    if (part.empty() || part == ".") continue;
    depth += part == ".." ? -1 : 1;
    if (depth < 0) return absl::InvalidArgumentError(absl::StrCat("layer: the name ", Quoted(name), " leads out of the image"));
  }
  return fs::CleanPath(name);
}

class Unpacker {
 public:
  Unpacker(ByteSource& tar, int root_fd, const UnpackOptions& options)
      : options_(options),
        root_fd_(root_fd),
        opaque_xattr_(OverlayXattr(options.overlay_xattrs, "opaque")),
        reader_(tar, {.max_entries = options.max_entries}),
        lower_(options.lower_dirs, options.overlay_xattrs),
        parents_(root_fd, lower_, options.overlay_xattrs),
        buffer_(new char[kStreamChunkBytes]) {}

  absl::StatusOr<UnpackStats> Run() {
    if (options_.is_layer) STRATA_RETURN_IF_ERROR(PrepareRoot());
    while (true) {
      STRATA_ASSIGN_OR_RETURN(std::optional<tar::Entry> entry, reader_.Next());
      if (!entry.has_value()) break;
      if (options_.owner) {
        entry->uid = options_.owner->uid;
        entry->gid = options_.owner->gid;
      }
      STRATA_RETURN_IF_ERROR(Annotate(Apply(*entry), absl::StrCat("layer entry ", Quoted(entry->name))));
    }
    STRATA_RETURN_IF_ERROR(reader_.DrainSource());
    if (!parents_.made().empty()) stats_.leaves_to_lower = true;
    STRATA_RETURN_IF_ERROR(SetDirectoryTimes(parents_.made()));
    STRATA_RETURN_IF_ERROR(SetDirectoryTimes(directory_times_));
    return stats_;
  }

 private:
  // The top directory of the uppermost layer gives the merged root its owner and mode.
  absl::Status PrepareRoot() {
    if (!options_.lower_dirs.empty()) return CopyDirectoryMetadata(options_.lower_dirs.front(), ".", root_fd_, ".");
    if (::fchownat(root_fd_, ".", 0, 0, 0) != 0 || ::fchmodat(root_fd_, ".", 0755, 0) != 0) return ErrnoStatus(errno, "prepare the layer's directory");
    return absl::OkStatus();
  }

  absl::Status Apply(const tar::Entry& entry) {
    STRATA_ASSIGN_OR_RETURN(const std::string path, CleanName(entry.name));
    if (path.empty()) {
      if (entry.type != tar::EntryType::kDirectory) return absl::InvalidArgumentError("the root of an image must be a directory");
      ++stats_.directories;
      stats_.has_root_entry = true;
      if (!options_.is_layer) return absl::OkStatus();
      directory_times_.emplace_back("", absl::ToTimespec(entry.mtime));
      return SetMetadata(entry, root_fd_, ".");
    }
    const SplitPath at = Split(path);
    if (options_.is_layer && absl::StartsWith(at.name, kWhiteoutPrefix)) return ApplyMark(at);
    if (entry.type == tar::EntryType::kHardLink) return MakeHardLink(entry, path);
    STRATA_ASSIGN_OR_RETURN(const int parent, parents_.Open(at.parent));
    switch (entry.type) {
      case tar::EntryType::kFile: return MakeFile(entry, parent, at.name);
      case tar::EntryType::kDirectory:
        directory_times_.emplace_back(path, absl::ToTimespec(entry.mtime));
        return MakeDirectory(entry, parent, at.name);
      case tar::EntryType::kSymlink: return MakeSymlink(entry, parent, at.name);
      default: return MakeNode(entry, parent, at.name);
    }
  }

  // Runs `create` (a system call that fails with EEXIST); replaces what an earlier entry put there.
  template <typename Create>
  absl::Status CreateAnew(int parent, const std::string& name, Create create) {
    if (create() >= 0) return absl::OkStatus();
    if (errno == EEXIST) {
      parents_.Forget();
      STRATA_RETURN_IF_ERROR(fs::RemoveAllAt(parent, name));
      if (create() >= 0) return absl::OkStatus();
    }
    return ErrnoStatus(errno, "create");
  }

  absl::Status MakeFile(const tar::Entry& entry, int parent, const std::string& name) {
    if (entry.size > options_.max_content_bytes - stats_.content_bytes) {
      return absl::ResourceExhaustedError(absl::StrCat("the layer has more than ", options_.max_content_bytes, " bytes of content"));
    }
    UniqueFd fd;
    STRATA_RETURN_IF_ERROR(CreateAnew(parent, name, [&] {
      fd.Reset(::openat(parent, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
      return fd.get();
    }));
    while (true) {
      STRATA_ASSIGN_OR_RETURN(const size_t n, reader_.content().Read(buffer_.get(), kStreamChunkBytes));
      if (n == 0) break;
      STRATA_RETURN_IF_ERROR(WriteFully(fd.get(), absl::string_view(buffer_.get(), n)));
    }
    ++stats_.files;
    stats_.content_bytes += entry.size;
    // Owner first: changing it clears setuid bits and capabilities.
    if (::fchown(fd.get(), entry.uid, entry.gid) != 0) return ErrnoStatus(errno, "set owner");
    if (::fchmod(fd.get(), entry.mode) != 0) return ErrnoStatus(errno, "set mode");
    if (!entry.xattrs.empty()) STRATA_RETURN_IF_ERROR(SetXattrs(entry, parent, name));
    const timespec times[2] = {absl::ToTimespec(entry.mtime), absl::ToTimespec(entry.mtime)};
    if (::futimens(fd.get(), times) != 0) return ErrnoStatus(errno, "set time");
    return absl::OkStatus();
  }

  absl::Status MakeDirectory(const tar::Entry& entry, int parent, const std::string& name) {
    ++stats_.directories;
    bool hides_lower = false;
    if (::mkdirat(parent, name.c_str(), 0700) != 0) {
      struct stat stat;
      if (errno != EEXIST || ::fstatat(parent, name.c_str(), &stat, AT_SYMLINK_NOFOLLOW) != 0) return ErrnoStatus(errno, "make directory");
      if (!S_ISDIR(stat.st_mode)) {
        hides_lower = IsWhiteoutDevice(stat);
        STRATA_RETURN_IF_ERROR(CreateAnew(parent, name, [&] { return ::mkdirat(parent, name.c_str(), 0700); }));
      }
    }
    // A whiteout of the same name in the same layer: the directory is new, nothing below shows through.
    if (hides_lower) STRATA_RETURN_IF_ERROR(fs::SetXattrAt(parent, name, opaque_xattr_, "y"));
    return SetMetadata(entry, parent, name);
  }

  absl::Status MakeSymlink(const tar::Entry& entry, int parent, const std::string& name) {
    if (entry.link_name.empty()) return absl::InvalidArgumentError("a symbolic link without a target");
    STRATA_RETURN_IF_ERROR(CreateAnew(parent, name, [&] { return ::symlinkat(entry.link_name.c_str(), parent, name.c_str()); }));
    ++stats_.links;
    return SetMetadata(entry, parent, name);
  }

  absl::Status MakeNode(const tar::Entry& entry, int parent, const std::string& name) {
    const bool is_device = entry.type != tar::EntryType::kFifo;
    const mode_t type = !is_device ? S_IFIFO : entry.type == tar::EntryType::kCharDevice ? S_IFCHR : S_IFBLK;
    if (type == S_IFCHR && entry.dev_major == 0 && entry.dev_minor == 0) {
      return absl::InvalidArgumentError("a character device 0/0 would be taken for a deletion; layers spell deletions \".wh.<name>\"");
    }
    if (is_device && options_.skip_devices) {
      ++stats_.devices_skipped;
      return absl::OkStatus();
    }
    const dev_t device = is_device ? makedev(entry.dev_major, entry.dev_minor) : 0;
    STRATA_RETURN_IF_ERROR(CreateAnew(parent, name, [&] { return ::mknodat(parent, name.c_str(), type | 0600, device); }));
    return SetMetadata(entry, parent, name);
  }

  absl::Status MakeHardLink(const tar::Entry& entry, const std::string& path) {
    STRATA_ASSIGN_OR_RETURN(const std::string target_path, CleanName(entry.link_name));
    if (target_path.empty()) return absl::InvalidArgumentError("a hard link to the root directory");
    const SplitPath target = Split(target_path);
    STRATA_ASSIGN_OR_RETURN(const UniqueFd target_parent, FindTarget(target));
    if (target_path == path) return absl::OkStatus();
    const SplitPath at = Split(path);
    STRATA_ASSIGN_OR_RETURN(const int parent, parents_.Open(at.parent));
    const absl::Status linked = CreateAnew(
        parent, at.name, [&] { return ::linkat(target_parent.get(), target.name.c_str(), parent, at.name.c_str(), 0); });
    if (!linked.ok()) return Annotate(linked, absl::StrCat("link to ", Quoted(entry.link_name)));
    ++stats_.links;
    return absl::OkStatus();
  }

  // The directory of a hard link's target, after making sure that the target is in it and can be linked.
  absl::StatusOr<UniqueFd> FindTarget(const SplitPath& target) {
    STRATA_ASSIGN_OR_RETURN(ParentDirs::Located parent, parents_.Locate(target.parent));
    struct stat stat;
    if (::fstatat(parent.fd.get(), target.name.c_str(), &stat, AT_SYMLINK_NOFOLLOW) == 0) {
      if (S_ISDIR(stat.st_mode)) return absl::InvalidArgumentError("a hard link to a directory");
      if (!IsWhiteoutDevice(stat)) return std::move(parent.fd);
    } else if (errno != ENOENT) {
      return ErrnoStatus(errno, "look for a hard link's target");
    } else {
      const std::string physical = parent.physical.empty() ? target.name : absl::StrCat(parent.physical, "/", target.name);
      STRATA_ASSIGN_OR_RETURN(const std::optional<LowerView::Found> below, lower_.Lookup(physical));
      if (below.has_value() && S_ISDIR(below->stat.st_mode)) return absl::InvalidArgumentError("a hard link to a directory");
      if (below.has_value()) {
        STRATA_RETURN_IF_ERROR(CopyUp(*below, parent.fd.get(), target.name));
        return std::move(parent.fd);
      }
    }
    return absl::FailedPreconditionError(
        absl::StrCat("a hard link to ", Quoted(target.name), " in ", Quoted(target.parent), ", which is neither in this layer nor below it"));
  }

  // A name that starts with ".wh.".
  absl::Status ApplyMark(const SplitPath& at) {
    if (at.name == kOpaqueName) return MakeOpaque(at.parent);
    if (absl::StartsWith(at.name, kWhiteoutMetaPrefix)) return absl::OkStatus();  // left over from AUFS, means nothing here
    const std::string hidden = at.name.substr(kWhiteoutPrefix.size());
    if (hidden.empty() || hidden == "." || hidden == "..") return absl::InvalidArgumentError("a whiteout of no possible name");
    STRATA_ASSIGN_OR_RETURN(const int parent, parents_.Open(at.parent));
    ++stats_.whiteouts;
    return Hide(parent, hidden);
  }

  // Hides what lower layers have under this name; what this layer has stays, in whichever order they come.
  absl::Status Hide(int parent, const std::string& name) {
    if (::mknodat(parent, name.c_str(), S_IFCHR, makedev(0, 0)) == 0) return absl::OkStatus();
    struct stat stat;
    if (errno != EEXIST || ::fstatat(parent, name.c_str(), &stat, AT_SYMLINK_NOFOLLOW) != 0) return ErrnoStatus(errno, "make whiteout");
    return S_ISDIR(stat.st_mode) ? fs::SetXattrAt(parent, name, opaque_xattr_, "y") : absl::OkStatus();
  }

  absl::Status MakeOpaque(absl::string_view path) {
    ++stats_.whiteouts;
    if (!path.empty()) {
      STRATA_ASSIGN_OR_RETURN(const int directory, parents_.Open(path));
      return fs::SetXattrAt(directory, ".", opaque_xattr_, "y");
    }
    stats_.leaves_to_lower = true;
    // Overlayfs merges the top directories of all layers even when they are opaque, so each name is hidden by itself.
    for (const int lower : options_.lower_dirs) {
      STRATA_ASSIGN_OR_RETURN(const std::vector<fs::DirEntry> entries, fs::ListDirectory(lower));
      for (const fs::DirEntry& entry : entries) STRATA_RETURN_IF_ERROR(Hide(root_fd_, entry.name));
    }
    return absl::OkStatus();
  }

  absl::Status SetMetadata(const tar::Entry& entry, int parent, const std::string& name) {
    const char* const text = name.c_str();
    if (::fchownat(parent, text, entry.uid, entry.gid, AT_SYMLINK_NOFOLLOW) != 0) return ErrnoStatus(errno, "set owner");
    if (entry.type != tar::EntryType::kSymlink && ::fchmodat(parent, text, entry.mode, 0) != 0) return ErrnoStatus(errno, "set mode");
    if (!entry.xattrs.empty()) STRATA_RETURN_IF_ERROR(SetXattrs(entry, parent, name));
    if (entry.type == tar::EntryType::kDirectory) return absl::OkStatus();  // its content is still to come
    const timespec times[2] = {absl::ToTimespec(entry.mtime), absl::ToTimespec(entry.mtime)};
    if (::utimensat(parent, text, times, AT_SYMLINK_NOFOLLOW) != 0) return ErrnoStatus(errno, "set time");
    return absl::OkStatus();
  }

  absl::Status SetXattrs(const tar::Entry& entry, int parent, const std::string& name) {
    const bool takes_user = entry.type == tar::EntryType::kFile || entry.type == tar::EntryType::kDirectory;
    for (const auto& [xattr, value] : entry.xattrs) {
      const bool impossible = IsOverlayXattr(xattr) || (!takes_user && absl::StartsWith(xattr, "user."));
      const absl::Status set = impossible ? absl::UnimplementedError("") : fs::SetXattrAt(parent, name, xattr, value);
      if (absl::IsUnimplemented(set)) {
        ++stats_.xattrs_skipped;
      } else if (!set.ok()) {
        return set;
      }
    }
    return absl::OkStatus();
  }

  // Last of all, because filling a directory changes its time.
  absl::Status SetDirectoryTimes(const std::vector<std::pair<std::string, timespec>>& all) const {
    for (const auto& [path, mtime] : all) {
      absl::StatusOr<UniqueFd> directory = fs::OpenInRoot(root_fd_, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
      if (!directory.ok()) continue;  // a later entry replaced it with something else
      const timespec times[2] = {mtime, mtime};
      if (::futimens(directory->get(), times) != 0) return ErrnoStatus(errno, absl::StrCat("set time of ", Quoted(path)));
    }
    return absl::OkStatus();
  }

  const UnpackOptions& options_;
  const int root_fd_;
  const std::string opaque_xattr_;
  tar::Reader reader_;
  LowerView lower_;
  ParentDirs parents_;
  std::unique_ptr<char[]> buffer_;
  std::vector<std::pair<std::string, timespec>> directory_times_;
  UnpackStats stats_;
};

}  // namespace

absl::StatusOr<UnpackStats> UnpackLayer(ByteSource& tar_plain, int dir_fd, const UnpackOptions& options) {
  return Unpacker(tar_plain, dir_fd, options).Run();
}

}  // namespace strata::layer
