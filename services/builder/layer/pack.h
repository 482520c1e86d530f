// Writes the layer tar of an overlayfs upper directory: what a build step changed, by walking the changes alone.
//
// Spec: OCI image-spec, layer.md, "Layer Changesets". Deterministic: each directory before its content, names in byte order,
// numeric owners only, whole seconds. The upper must be quiet (unmounted, or nobody writing) and made by a mount with
// redirect_dir=off and metacopy=off.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/bytes/byte_stream.h"
#include "services/builder/layer/whiteout.h"

namespace strata::layer {

struct PackOptions {
  // Paths relative to the root, with everything below them, that the sandbox made and the step did not: mount points, stubs.
  std::vector<std::string> excludes;
  // Files newer than this get this time (SOURCE_DATE_EPOCH).
  std::optional<absl::Time> clamp_mtime;
  OverlayXattrs overlay_xattrs = OverlayXattrs::kTrusted;
};

struct PackStats {
  uint64_t entries = 0;    // of the archive, whiteouts included; 0: the step changed nothing
  uint64_t whiteouts = 0;  // opaque marks included
  uint64_t sockets_skipped = 0;
  uint64_t content_bytes = 0;
};

// Writes the whole archive, with its end, to `tar_out`; does not finish `tar_out`. The root directory itself has no entry.
// kInvalidArgument: a file whose name starts with ".wh.", which a layer cannot hold. kFailedPrecondition: the upper uses redirects
// or metacopy. kAborted: a file changed while it was read. Else errors of the file system and of `tar_out`.
absl::StatusOr<PackStats> PackOverlayUpper(int upper_fd, ByteSink& tar_out, const PackOptions& options = {});

}  // namespace strata::layer
