// What a COPY or ADD takes: its sources found in a tree, with everything below them, and a digest of all that.
//
// Source paths follow symbolic links (also in the last component), never out of the tree; links found inside a copied folder stay
// links. A source folder stands for its contents. Pure functions over a FileTree; thread-safe.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/call_context.h"
#include "lib/digest/digest.h"
#include "services/builder/filetree/file_tree.h"
#include "services/builder/graph/vertex.h"

namespace strata::filetree {

// One path to copy. `relative` is where it goes below the destination: for the contents of a folder the path within it, for a single
// file its name (which a destination that is no folder replaces).
struct Selected {
  Node node;
  std::string relative;
};

// One source argument that was found (a glob gives several).
struct SelectedSource {
  Node root;                       // links followed
  std::vector<Selected> entries;   // folders before what is in them; a file: just itself. The folder itself is not among them.
};

// kNotFound: a source without wildcards is not there; the message quotes it as "/path". kInvalidArgument: a malformed glob, or more
// links than 40 on the way. A glob that matches nothing selects nothing.
absl::StatusOr<std::vector<SelectedSource>> Select(const FileTree& tree, const graph::CopyAction& action);

// Follows the links in `path`; absent when it leads nowhere.
absl::StatusOr<std::optional<Node>> Follow(const FileTree& tree, absl::string_view path);

// A digest of everything that copying these sources can put into a layer: names, types, modes, owners, sizes, targets, devices,
// xattrs and content; never times. Modes and owners that the action replaces do not count.
absl::StatusOr<Digest> SelectionDigest(const CallContext& context, const FileTree& tree,
                                       const std::vector<SelectedSource>& sources, const graph::CopyAction& action);

}  // namespace strata::filetree
