// Puts files into the root file system of a step: what COPY, ADD, heredocs and WORKDIR do to the tree.
//
// Destination rules are BuildKit's (docs/dockerfile.md, "COPY"): links in the destination path are followed inside the root, also to
// what is not there yet; missing folders are made with mode 0755, the one that takes a source folder's contents among them; an existing
// one keeps its metadata, folders below take the source's. Every access is confined to the root by the kernel. One Copier a step; thread-compatible.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "lib/base/call_context.h"
#include "lib/fs/beneath.h"
#include "services/builder/filetree/file_tree.h"
#include "services/builder/filetree/selection.h"

namespace strata::filetree {

// What the action changes of the files it copies.
struct Changes {
  std::optional<fs::Owner> owner;
  std::string chmod;  // as ApplyChmod takes it; empty: keep
};

class Copier {
 public:
  // `root_fd` is borrowed.
  explicit Copier(int root_fd) : root_fd_(root_fd) {}

  // kInvalidArgument: a folder over a file or a file over a folder; the message names the path. kResourceExhausted: disk full.
  absl::Status Copy(const CallContext& context, const FileTree& tree, const SelectedSource& source, absl::string_view destination,
                    bool destination_is_folder, const Changes& changes);
  absl::Status WriteFile(absl::string_view name, absl::string_view content, absl::string_view destination, const Changes& changes);
  absl::Status MakeDir(absl::string_view path, const std::optional<fs::Owner>& owner);

  // Whether `path`, links followed, is a folder now.
  absl::StatusOr<bool> IsFolder(absl::string_view path) const;

 private:
  struct Folder;
  absl::Status CopyEntries(const CallContext& context, const FileTree& tree, const std::vector<Selected>& entries, int top_fd,
                           const Changes& changes);
  absl::Status PlaceFolder(int parent_fd, const std::string& name, const Node& node, const Changes& changes);
  absl::Status PlaceFile(const CallContext& context, const FileTree& tree, int parent_fd, const std::string& name, const Node& node,
                         const Changes& changes);
  absl::Status PlaceOther(int parent_fd, const std::string& name, const Node& node, const Changes& changes);
  absl::StatusOr<fs::ResolvedParent> ResolveFileDestination(absl::string_view destination, absl::string_view name,
                                                            bool into_folder, const Changes& changes);

  const int root_fd_;
  std::map<uint64_t, std::string> hard_links_;  // first copy of each, relative to the top folder being filled
};

}  // namespace strata::filetree
