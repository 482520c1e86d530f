// Mounting and unmounting overlayfs by short relative names.
//
// mount(2) takes its options in one page. With names relative to the store's folder ("l/17") a stack of several hundred layers fits;
// since a working directory belongs to a whole process, the call is made in a thread that first takes one for itself.
// Spec: Linux Documentation/filesystems/overlayfs.rst. Thread-safe; calls block.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace strata::snapshot {

struct OverlayMount {
  std::vector<std::string> lower;  // relative to the store's folder; topmost first, at least one (two without upper)
  std::string upper;               // empty: a mount that cannot be written
  std::string work;
  std::string target;
  bool is_volatile = true;  // no syncing: the upper is lost anyway when the machine stops
};

// kFailedPrecondition: the options do not fit in a page. Others: as ErrnoStatus().
absl::Status MountOverlay(int store_fd, const OverlayMount& mount);

// Unmounts `path`. Waits briefly for descriptors that a process between fork and exec still holds, then detaches.
absl::Status UnmountTree(const std::string& path);

// Unmounts whatever is mounted below `folder` or on it; for what a crash left.
absl::Status UnmountAllBelow(const std::string& folder);

}  // namespace strata::snapshot
