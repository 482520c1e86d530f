// What a path is in a stack of lower directories, as overlayfs would merge them: whiteouts hide, opaque directories end the search.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/unique_fd.h"
#include "services/builder/layer/whiteout.h"

namespace strata::layer {

class LowerView {
 public:
  struct Found {
    UniqueFd parent;   // the directory that holds `name` in the topmost layer that has it
    std::string name;
    struct stat stat;  // of the entry, not followed
  };

  // `lower_dirs`, the nearest first, must stay open.
  LowerView(std::vector<int> lower_dirs, OverlayXattrs overlay_xattrs);

  bool is_empty() const { return lower_dirs_.empty(); }
  // `path` is clean (fs::CleanPath) and not the root; symlinks in it are not followed. nullopt: nothing is there.
  absl::StatusOr<std::optional<Found>> Lookup(absl::string_view path) const;

 private:
  const std::vector<int> lower_dirs_;
  const std::string opaque_xattr_;
};

}  // namespace strata::layer
