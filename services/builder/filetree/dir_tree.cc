#include "services/builder/filetree/dir_tree.h"

#include <fcntl.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/bytes/byte_stream.h"
#include "lib/digest/hasher.h"
#include "lib/fs/beneath.h"
#include "lib/fs/dir.h"
#include "lib/fs/xattr.h"

namespace strata::filetree {

namespace {

// What overlayfs keeps for itself is no part of the file.
bool IsVisibleXattr(absl::string_view name) { return !absl::StartsWith(name, "trusted.overlay."); }

absl::StatusOr<Node> MakeNode(int parent_fd, const std::string& name, std::string path, const struct stat& info) {
  Node node;
  node.path = std::move(path);
  node.mode = info.st_mode;
  node.uid = info.st_uid;
  node.gid = info.st_gid;
  node.size_bytes = S_ISREG(info.st_mode) ? info.st_size : 0;
  node.mtime = absl::TimeFromTimespec(info.st_mtim);
  if (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode)) {
    node.device_major = major(info.st_rdev);
    node.device_minor = minor(info.st_rdev);
  }
  if (S_ISREG(info.st_mode) && info.st_nlink > 1) node.hard_link_id = info.st_ino;
  if (S_ISLNK(info.st_mode)) {
    STRATA_ASSIGN_OR_RETURN(node.link_target, fs::ReadLinkAt(parent_fd, name));
  }
  STRATA_ASSIGN_OR_RETURN(node.xattrs, fs::ReadXattrsAt(parent_fd, name));
  for (auto it = node.xattrs.begin(); it != node.xattrs.end();) {
    it = IsVisibleXattr(it->first) ? std::next(it) : node.xattrs.erase(it);
  }
  return node;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const DirTree>> DirTree::Open(int root_fd, std::shared_ptr<const void> keep_alive) {
  UniqueFd root(::fcntl(root_fd, F_DUPFD_CLOEXEC, 0));
  if (!root.is_valid()) return ErrnoStatus(errno, "opening a file tree");
  return std::shared_ptr<const DirTree>(new DirTree(std::move(root), std::move(keep_alive)));
}

absl::StatusOr<std::optional<Node>> DirTree::Lookup(absl::string_view path) const {
  struct stat info;
  if (path.empty()) {
    if (::fstat(root_.get(), &info) != 0) return ErrnoStatus(errno, "stat of the root");
    STRATA_ASSIGN_OR_RETURN(Node node, MakeNode(root_.get(), ".", "", info));
    return node;
  }
  auto resolved = fs::ResolveParent(root_.get(), path);
  if (absl::IsNotFound(resolved.status()) || absl::IsFailedPrecondition(resolved.status())) return std::nullopt;
  if (!resolved.ok()) return Annotate(resolved.status(), absl::StrCat("/", path));
  if (::fstatat(resolved->parent.get(), resolved->name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    return ErrnoStatus(errno, absl::StrCat("stat of /", path));
  }
  STRATA_ASSIGN_OR_RETURN(Node node, MakeNode(resolved->parent.get(), resolved->name, std::string(path), info));
  return node;
}

absl::StatusOr<std::vector<Node>> DirTree::List(absl::string_view path) const {
  auto folder = fs::OpenInRoot(root_.get(), path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!folder.ok()) return Annotate(folder.status(), absl::StrCat("/", path));
  STRATA_ASSIGN_OR_RETURN(const auto entries, fs::ListDirectory(folder->get()));
  std::vector<Node> nodes;
  nodes.reserve(entries.size());
  for (const fs::DirEntry& entry : entries) {
    struct stat info;
    if (::fstatat(folder->get(), entry.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
      return ErrnoStatus(errno, absl::StrCat("stat of /", path, "/", entry.name));
    }
    if (S_ISSOCK(info.st_mode)) continue;  // a socket without its process is nothing to copy
    std::string child = path.empty() ? entry.name : absl::StrCat(path, "/", entry.name);
    STRATA_ASSIGN_OR_RETURN(Node node, MakeNode(folder->get(), entry.name, std::move(child), info));
    nodes.push_back(std::move(node));
  }
  return nodes;
}

absl::StatusOr<UniqueFd> DirTree::Open(const CallContext&, const Node& node) const {
  auto fd = fs::OpenInRoot(root_.get(), node.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!fd.ok()) return Annotate(fd.status(), absl::StrCat("/", node.path));
  return fd;
}

absl::StatusOr<Digest> DirTree::ContentDigest(const CallContext& context, const Node& node) const {
  if (!node.digest.is_empty()) return node.digest;
  STRATA_ASSIGN_OR_RETURN(const UniqueFd fd, Open(context, node));
  FdSource source(fd.get());
  Hasher hasher;
  const auto buffer = std::make_unique<char[]>(kStreamChunkBytes);
  while (true) {
    STRATA_RETURN_IF_ERROR(context.Check());
    STRATA_ASSIGN_OR_RETURN(const size_t n, source.Read(buffer.get(), kStreamChunkBytes));
    if (n == 0) return hasher.Finish();
    hasher.Update(absl::string_view(buffer.get(), n));
  }
}

}  // namespace strata::filetree
