// Brings something from a lower layer into the layer that is being made, as overlayfs does before a change.
#pragma once

#include "absl/status/status.h"
#include "services/builder/layer/lower_view.h"

namespace strata::layer {

// Makes `name` in `parent_fd` like `found`: content, owner, mode, attributes (except those of overlayfs) and times. A directory comes
// without its content and without its time. kAlreadyExists: the name is taken.
absl::Status CopyUp(const LowerView::Found& found, int parent_fd, const std::string& name);

// Gives the directory `to_name` the owner, mode and attributes of another. "." is the directory itself.
absl::Status CopyDirectoryMetadata(int from_parent_fd, const std::string& from_name, int to_parent_fd, const std::string& to_name);

}  // namespace strata::layer
