// Applies a layer tar to a directory that overlayfs will use as a lower directory.
//
// Spec: OCI image-spec, layer.md, "Applying Changesets". `.wh.x` becomes a whiteout device x, `.wh..wh..opq` the opaque attribute of
// its directory. The archive is hostile: names are cleaned, resolved by the kernel inside the directory (openat2), symlinks of the
// layer never lead out, attributes of overlayfs in the archive are dropped, whiteout devices in it refused.
//
// Parents that the archive does not mention are made as the lower layers have them: directories with their owner, mode and
// attributes, symlinks as symlinks (an entry lib/x over a base with lib -> usr/lib lands in usr/lib).
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/bytes/byte_stream.h"
#include "lib/fs/beneath.h"
#include "services/builder/layer/whiteout.h"

namespace strata::layer {

struct UnpackOptions {
  OverlayXattrs overlay_xattrs = OverlayXattrs::kTrusted;
  // Directories of the layers below, the nearest first; open during the call. Empty: this is the first layer.
  std::vector<int> lower_dirs;
  uint64_t max_content_bytes = std::numeric_limits<uint64_t>::max();
  uint64_t max_entries = 10'000'000;
  // False: the archive is no layer but files to add to a tree that exists (ADD): ".wh." names are ordinary, and the directory itself
  // keeps its owner and mode.
  bool is_layer = true;
  // Whom every entry belongs to, whatever the archive says.
  std::optional<fs::Owner> owner;
  // Leave devices out: for hosts that must not, or cannot, make them (user namespaces).
  bool skip_devices = false;
};

struct UnpackStats {
  uint64_t files = 0;        // regular files, hard links not counted
  uint64_t directories = 0;  // with an entry of their own
  uint64_t links = 0;        // hard and symbolic
  uint64_t whiteouts = 0;    // opaque marks included
  uint64_t devices_skipped = 0;
  uint64_t xattrs_skipped = 0;  // the file system, or the kind of file, does not take them
  uint64_t content_bytes = 0;
  bool has_root_entry = false;  // the archive itself says owner and mode of the root directory
  // The archive leaves something to the layers below: a parent directory it does not mention, or an opaque root. Unpacked over
  // others, the directory may look different. Also told when `lower_dirs` is empty.
  bool leaves_to_lower = false;
};

// Reads `tar_plain` to its end (also what follows the archive) and fills `dir_fd`, which should be empty. On an error the directory
// is left half filled: remove it. Nothing is synced.
// kInvalidArgument: a damaged archive; a name that leads outside, is the root, or is an impossible whiteout; a hard link to a
// directory; a whiteout device. kFailedPrecondition: a hard link to a file that neither this layer nor `lower_dirs` have; a part of
// a path is no directory. kUnimplemented: sparse files. kResourceExhausted: a limit, or the disk is full. kPermissionDenied: devices
// or attributes that this process may not make.
absl::StatusOr<UnpackStats> UnpackLayer(ByteSource& tar_plain, int dir_fd, const UnpackOptions& options = {});

}  // namespace strata::layer
