// A FileTree over a directory of this machine: a mounted stage, or a folder of fetched files.
//
// Every access is confined to the directory by the kernel (lib/fs/beneath.h); links inside are told, not followed. Thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lib/base/unique_fd.h"
#include "services/builder/filetree/file_tree.h"

namespace strata::filetree {

class DirTree final : public FileTree {
 public:
  // `root_fd` is duplicated. `keep_alive` lives as long as the tree: whatever keeps the directory mounted.
  static absl::StatusOr<std::shared_ptr<const DirTree>> Open(int root_fd, std::shared_ptr<const void> keep_alive = nullptr);

  absl::StatusOr<std::optional<Node>> Lookup(absl::string_view path) const override;
  absl::StatusOr<std::vector<Node>> List(absl::string_view path) const override;
  absl::StatusOr<UniqueFd> Open(const CallContext& context, const Node& node) const override;
  absl::StatusOr<Digest> ContentDigest(const CallContext& context, const Node& node) const override;
  absl::Status Prefetch(const CallContext&, absl::Span<const Node>) const override { return absl::OkStatus(); }

 private:
  DirTree(UniqueFd root, std::shared_ptr<const void> keep_alive) : root_(std::move(root)), keep_alive_(std::move(keep_alive)) {}

  const UniqueFd root_;
  const std::shared_ptr<const void> keep_alive_;
};

}  // namespace strata::filetree
