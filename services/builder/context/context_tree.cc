#include "services/builder/context/context_tree.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/base/status.h"

namespace strata::context {

namespace {

constexpr size_t kMaxEntries = 1'000'000;
constexpr size_t kMaxBytes = 256 * 1024 * 1024;  // of names, targets and attributes together

std::string ParentOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

}  // namespace

bool IsCleanRelativePath(absl::string_view path) {
  if (path.empty() || path.size() > 4096 || path.find('\0') != absl::string_view::npos) return false;
  for (const absl::string_view component : absl::StrSplit(path, '/')) {
    if (component.empty() || component == "." || component == ".." || component.size() > 255) return false;
  }
  return true;
}

absl::Status ContextListing::Add(filetree::Node node) {
  const std::string shown = absl::CHexEscape(node.path.substr(0, 120));
  if (!IsCleanRelativePath(node.path)) {
    return absl::InvalidArgumentError(absl::StrCat("context entry \"", shown, "\" is not a clean relative path"));
  }
  if (nodes_.size() >= kMaxEntries) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the build context has more than ", kMaxEntries, " entries; exclude some in .dockerignore"));
  }
  const uint32_t type = node.mode & S_IFMT;
  if (type != S_IFREG && type != S_IFDIR && type != S_IFLNK && type != S_IFIFO && type != S_IFCHR && type != S_IFBLK) {
    return absl::InvalidArgumentError(absl::StrCat("context entry \"", shown, "\" is of a type that cannot be copied"));
  }
  if (node.is_regular() && (node.digest.is_empty() || node.size_bytes < 0)) {
    return absl::InvalidArgumentError(absl::StrCat("context entry \"", shown, "\" came without digest or size"));
  }
  if (!node.is_symlink()) node.link_target.clear();
  if (!node.is_regular()) node.digest = Digest();
  if (type != S_IFCHR && type != S_IFBLK) node.device_major = node.device_minor = 0;
  bytes_ += node.path.size() + node.link_target.size();
  for (const auto& [name, value] : node.xattrs) bytes_ += name.size() + value.size();
  if (bytes_ > kMaxBytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the listing of the build context is longer than ", kMaxBytes, " bytes; exclude some in .dockerignore"));
  }
  if (node.is_symlink() && (node.link_target.empty() || node.link_target.size() > 4096 || absl::StrContains(node.link_target, '\0'))) {
    return absl::InvalidArgumentError(absl::StrCat("context entry \"", shown, "\" is a link without a usable target"));
  }
  node.uid = 0;
  node.gid = 0;
  std::string path = node.path;
  if (!nodes_.emplace(std::move(path), std::move(node)).second) {
    return absl::InvalidArgumentError(absl::StrCat("context entry \"", shown, "\" came twice"));
  }
  return absl::OkStatus();
}

ContextTree::ContextTree(const ContextListing& listing, ContentCache& cache, FileRequester& requester)
    : nodes_(listing.nodes()), cache_(cache), requester_(requester) {
  const auto add_folder = [this](const std::string& path) {
    filetree::Node folder;
    folder.path = path;
    folder.mode = S_IFDIR | 0755;
    return nodes_.emplace(path, std::move(folder)).second;
  };
  for (const auto& [path, node] : listing.nodes()) {
    for (std::string parent = ParentOf(path); !parent.empty() && add_folder(parent);) parent = ParentOf(parent);
  }
  add_folder("");
  for (const auto& [path, node] : nodes_) {
    if (!path.empty()) children_[ParentOf(path)].push_back(path);
  }
}

absl::StatusOr<std::optional<filetree::Node>> ContextTree::Lookup(absl::string_view path) const {
  const auto found = nodes_.find(std::string(path));
  if (found == nodes_.end()) return std::nullopt;
  return found->second;
}

absl::StatusOr<std::vector<filetree::Node>> ContextTree::List(absl::string_view path) const {
  const auto folder = nodes_.find(std::string(path));
  if (folder == nodes_.end()) return absl::NotFoundError(absl::StrCat("\"/", path, "\": not found in the build context"));
  if (!folder->second.is_dir()) return absl::FailedPreconditionError(absl::StrCat("\"/", path, "\" is not a folder"));
  std::vector<filetree::Node> list;
  const auto children = children_.find(std::string(path));
  if (children == children_.end()) return list;
  for (const std::string& child : children->second) list.push_back(nodes_.at(child));
  return list;
}

absl::StatusOr<UniqueFd> ContextTree::Open(const CallContext& context, const filetree::Node& node) const {
  auto fd = cache_.OpenFile(node.digest);
  if (!absl::IsNotFound(fd.status())) return fd;
  STRATA_RETURN_IF_ERROR(requester_.Fetch(context, {node}));
  return cache_.OpenFile(node.digest);
}

absl::StatusOr<Digest> ContextTree::ContentDigest(const CallContext&, const filetree::Node& node) const {
  return node.digest;
}

absl::Status ContextTree::Prefetch(const CallContext& context, absl::Span<const filetree::Node> nodes) const {
  return requester_.Fetch(context, nodes);
}

}  // namespace strata::context
