#include "services/builder/filetree/copier.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/base/status.h"
#include "lib/bytes/byte_stream.h"
#include "lib/fs/copy.h"
#include "lib/fs/xattr.h"
#include "services/builder/filetree/chmod.h"
#include "services/builder/filetree/destination.h"

namespace strata::filetree {

namespace {

constexpr mode_t kParentMode = 0755;

absl::StatusOr<uint32_t> ModeOf(const Node& node, const Changes& changes) {
  if (changes.chmod.empty()) return node.mode & 07777;
  return ApplyChmod(changes.chmod, node.mode);
}

fs::Owner OwnerOf(const Node& node, const Changes& changes) { return changes.owner.value_or(fs::Owner{node.uid, node.gid}); }

// Whatever is at `name` and is no folder goes; a folder is an error.
absl::Status ClearName(int parent_fd, const std::string& name) {
  struct stat info;
  if (::fstatat(parent_fd, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    return errno == ENOENT ? absl::OkStatus() : ErrnoStatus(errno, name);
  }
  if (S_ISDIR(info.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat("cannot replace the directory \"", name, "\" with a file"));
  }
  if (::unlinkat(parent_fd, name.c_str(), 0) != 0) return ErrnoStatus(errno, absl::StrCat("replacing ", name));
  return absl::OkStatus();
}

absl::Status SetXattrs(int parent_fd, const std::string& name, const Node& node) {
  for (const auto& [key, value] : node.xattrs) {
    const absl::Status status = fs::SetXattrAt(parent_fd, name, key, value);
    // A file system without this kind of attribute holds the file all the same, as everywhere else in the field.
    if (!status.ok() && !absl::IsUnimplemented(status) && !absl::IsPermissionDenied(status)) return Annotate(status, name);
  }
  return absl::OkStatus();
}

absl::Status SetTime(int parent_fd, const std::string& name, absl::Time mtime) {
  const timespec time = absl::ToTimespec(mtime);
  const timespec times[2] = {time, time};
  if (::utimensat(parent_fd, name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) return ErrnoStatus(errno, absl::StrCat("time of ", name));
  return absl::OkStatus();
}

// Owner before mode: chown(2) clears the set-id bits.
absl::Status SetOwnerAndMode(int fd, const std::string& name, fs::Owner owner, uint32_t mode) {
  if (::fchown(fd, owner.uid, owner.gid) != 0 || ::fchmod(fd, mode) != 0) return ErrnoStatus(errno, absl::StrCat("owner of ", name));
  return absl::OkStatus();
}

std::string ParentOf(absl::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == absl::string_view::npos ? "" : std::string(path.substr(0, slash));
}

}  // namespace

// A folder that is being filled. Its time is set when it is left: every entry made in it moves the time.
struct Copier::Folder {
  std::string relative;
  UniqueFd fd;
  absl::Time mtime;
};

absl::StatusOr<bool> Copier::IsFolder(absl::string_view path) const {
  auto info = fs::StatInRoot(root_fd_, path);
  if (absl::IsNotFound(info.status()) || absl::IsFailedPrecondition(info.status())) return false;
  if (!info.ok()) return info.status();
  return S_ISDIR(info->st_mode);
}

absl::Status Copier::MakeDir(absl::string_view path, const std::optional<fs::Owner>& owner) {
  STRATA_ASSIGN_OR_RETURN(const std::string resolved, ResolveDestination(root_fd_, path));
  return Annotate(fs::MkdirAllInRoot(root_fd_, resolved, kParentMode, owner).status(), path);
}

absl::Status Copier::Copy(const CallContext& context, const FileTree& tree, const SelectedSource& source,
                          absl::string_view destination, bool destination_is_folder, const Changes& changes) {
  std::vector<Node> files;
  for (const Selected& entry : source.entries) {
    if (entry.node.is_regular()) files.push_back(entry.node);
  }
  STRATA_RETURN_IF_ERROR(tree.Prefetch(context, files));

  const bool is_single = !source.root.is_dir() && source.entries.size() <= 1 &&
                         (source.entries.empty() || !absl::StrContains(source.entries[0].relative, "/"));
  if (is_single) {
    if (source.entries.empty()) return absl::OkStatus();
    const Selected& entry = source.entries.front();
    STRATA_ASSIGN_OR_RETURN(const fs::ResolvedParent place,
                            ResolveFileDestination(destination, entry.relative, destination_is_folder, changes));
    if (entry.node.is_regular()) return PlaceFile(context, tree, place.parent.get(), place.name, entry.node, changes);
    return PlaceOther(place.parent.get(), place.name, entry.node, changes);
  }

  STRATA_ASSIGN_OR_RETURN(const std::string folder, ResolveDestination(root_fd_, destination));
  auto existing = fs::StatInRoot(root_fd_, folder);
  if (existing.ok() && !S_ISDIR(existing->st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat("cannot copy to non-directory: ", destination));
  }
  // The folder that takes a folder's contents is a new one, not a copy: of the source's metadata it has none.
  STRATA_RETURN_IF_ERROR(MakeDir(folder, changes.owner));
  STRATA_ASSIGN_OR_RETURN(const UniqueFd top, fs::OpenInRoot(root_fd_, folder, O_RDONLY | O_DIRECTORY));
  return CopyEntries(context, tree, source.entries, top.get(), changes);
}

absl::Status Copier::CopyEntries(const CallContext& context, const FileTree& tree, const std::vector<Selected>& entries,
                                 int top_fd, const Changes& changes) {
  hard_links_.clear();
  std::vector<Folder> open;  // the chain of folders down to where we are
  const auto leave = [&]() -> absl::Status {
    const Folder folder = std::move(open.back());
    open.pop_back();
    return SetTime(open.empty() ? top_fd : open.back().fd.get(), folder.relative.substr(folder.relative.rfind('/') + 1),
                   folder.mtime);
  };
  for (const Selected& entry : entries) {
    STRATA_RETURN_IF_ERROR(context.Check());
    const std::string parent = ParentOf(entry.relative);
    while (!open.empty() && open.back().relative != parent) STRATA_RETURN_IF_ERROR(leave());
    const int parent_fd = open.empty() ? top_fd : open.back().fd.get();
    const std::string name = entry.relative.substr(parent.empty() ? 0 : parent.size() + 1);
    if (entry.node.is_dir()) {
      STRATA_RETURN_IF_ERROR(PlaceFolder(parent_fd, name, entry.node, changes));
      UniqueFd fd(::openat(parent_fd, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (!fd.is_valid()) return ErrnoStatus(errno, entry.relative);
      open.push_back({entry.relative, std::move(fd), entry.node.mtime});
      continue;
    }
    const auto linked = hard_links_.find(entry.node.hard_link_id);
    if (entry.node.hard_link_id != 0 && linked != hard_links_.end()) {
      STRATA_RETURN_IF_ERROR(ClearName(parent_fd, name));
      if (::linkat(top_fd, linked->second.c_str(), parent_fd, name.c_str(), 0) != 0) return ErrnoStatus(errno, entry.relative);
      continue;
    }
    const absl::Status status = entry.node.is_regular() ? PlaceFile(context, tree, parent_fd, name, entry.node, changes)
                                                        : PlaceOther(parent_fd, name, entry.node, changes);
    STRATA_RETURN_IF_ERROR(status);
    if (entry.node.hard_link_id != 0) hard_links_.emplace(entry.node.hard_link_id, entry.relative);
  }
  while (!open.empty()) STRATA_RETURN_IF_ERROR(leave());
  return absl::OkStatus();
}

absl::Status Copier::PlaceFolder(int parent_fd, const std::string& name, const Node& node, const Changes& changes) {
  if (::mkdirat(parent_fd, name.c_str(), 0700) != 0) {
    if (errno != EEXIST) return ErrnoStatus(errno, absl::StrCat("making ", name));
    struct stat info;
    if (::fstatat(parent_fd, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return ErrnoStatus(errno, name);
    if (!S_ISDIR(info.st_mode)) return absl::InvalidArgumentError(absl::StrCat("cannot copy to non-directory: ", name));
  }
  const UniqueFd fd(::openat(parent_fd, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.is_valid()) return ErrnoStatus(errno, name);
  STRATA_ASSIGN_OR_RETURN(const uint32_t mode, ModeOf(node, changes));
  STRATA_RETURN_IF_ERROR(SetOwnerAndMode(fd.get(), name, OwnerOf(node, changes), mode));
  return SetXattrs(parent_fd, name, node);
}

absl::Status Copier::PlaceFile(const CallContext& context, const FileTree& tree, int parent_fd, const std::string& name,
                               const Node& node, const Changes& changes) {
  STRATA_ASSIGN_OR_RETURN(const UniqueFd in, tree.Open(context, node));
  STRATA_RETURN_IF_ERROR(ClearName(parent_fd, name));
  const UniqueFd out(::openat(parent_fd, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!out.is_valid()) return ErrnoStatus(errno, absl::StrCat("making ", name));
  STRATA_RETURN_IF_ERROR(Annotate(fs::CopyFileContents(in.get(), out.get()).status(), name));
  STRATA_ASSIGN_OR_RETURN(const uint32_t mode, ModeOf(node, changes));
  STRATA_RETURN_IF_ERROR(SetOwnerAndMode(out.get(), name, OwnerOf(node, changes), mode));
  STRATA_RETURN_IF_ERROR(SetXattrs(parent_fd, name, node));
  return SetTime(parent_fd, name, node.mtime);
}

absl::Status Copier::PlaceOther(int parent_fd, const std::string& name, const Node& node, const Changes& changes) {
  STRATA_RETURN_IF_ERROR(ClearName(parent_fd, name));
  if (node.is_symlink()) {
    if (::symlinkat(node.link_target.c_str(), parent_fd, name.c_str()) != 0) return ErrnoStatus(errno, absl::StrCat("linking ", name));
  } else {
    const dev_t device = makedev(node.device_major, node.device_minor);
    if (::mknodat(parent_fd, name.c_str(), (node.mode & S_IFMT) | 0600, device) != 0) return ErrnoStatus(errno, absl::StrCat("making ", name));
    STRATA_ASSIGN_OR_RETURN(const uint32_t mode, ModeOf(node, changes));
    if (::fchmodat(parent_fd, name.c_str(), mode, 0) != 0) return ErrnoStatus(errno, absl::StrCat("mode of ", name));
  }
  const fs::Owner owner = OwnerOf(node, changes);
  if (::fchownat(parent_fd, name.c_str(), owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW) != 0) {
    return ErrnoStatus(errno, absl::StrCat("owner of ", name));
  }
  STRATA_RETURN_IF_ERROR(SetXattrs(parent_fd, name, node));
  return SetTime(parent_fd, name, node.mtime);
}

// Where a single file goes: into the destination when that is a folder, else to the destination itself, links followed.
absl::StatusOr<fs::ResolvedParent> Copier::ResolveFileDestination(absl::string_view destination, absl::string_view name,
                                                                  bool into_folder, const Changes& changes) {
  STRATA_ASSIGN_OR_RETURN(const bool is_folder, IsFolder(destination));
  STRATA_ASSIGN_OR_RETURN(std::string path, ResolveDestination(root_fd_, destination));
  // Inside a folder a link is replaced by the file; as the destination itself it was followed.
  if (into_folder || is_folder) absl::StrAppend(&path, "/", name);
  STRATA_RETURN_IF_ERROR(MakeDir(ParentOf(fs::CleanPath(path)), changes.owner));
  return fs::ResolveParent(root_fd_, path);
}

absl::Status Copier::WriteFile(absl::string_view name, absl::string_view content, absl::string_view destination,
                               const Changes& changes) {
  STRATA_ASSIGN_OR_RETURN(const fs::ResolvedParent place,
                          ResolveFileDestination(destination, name, absl::EndsWith(destination, "/"), changes));
  STRATA_RETURN_IF_ERROR(ClearName(place.parent.get(), place.name));
  const UniqueFd out(::openat(place.parent.get(), place.name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!out.is_valid()) return ErrnoStatus(errno, absl::StrCat("making ", place.name));
  STRATA_RETURN_IF_ERROR(Annotate(WriteFully(out.get(), content), place.name));
  Node node;
  node.mode = S_IFREG | 0644;
  STRATA_ASSIGN_OR_RETURN(const uint32_t mode, ModeOf(node, changes));
  STRATA_RETURN_IF_ERROR(SetOwnerAndMode(out.get(), place.name, OwnerOf(node, changes), mode));
  // A heredoc has no time of its own; the epoch keeps the layer the same on every build.
  return SetTime(place.parent.get(), place.name, absl::UnixEpoch());
}

}  // namespace strata::filetree
