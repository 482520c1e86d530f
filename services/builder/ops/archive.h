// ADD's unpacking of local archives: tar, plain or compressed by gzip, zstd, xz or bzip2, known by its content.
#pragma once

#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/call_context.h"
#include "lib/fs/beneath.h"

namespace strata::ops {

// Unpacks the archive in `fd` into the folder `destination` of the root, which is made when missing. False: it is no archive, and
// nothing was done. With `owner` every entry belongs to them.
// kInvalidArgument: a damaged or hostile archive. kResourceExhausted: disk full, or more than an archive may hold.
absl::StatusOr<bool> UnpackArchive(const CallContext& context, int fd, int root_fd, absl::string_view destination,
                                   const std::optional<fs::Owner>& owner);

}  // namespace strata::ops
