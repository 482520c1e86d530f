// Copies the content of regular files in the kernel where it can: shared extents, copy_file_range(2), else read and write.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"

namespace strata::fs {

// Copies all of `in_fd` (a regular file) to the empty file `out_fd`; holes stay holes. Offsets of both descriptors are undefined
// afterwards. Returns the size of the file.
absl::StatusOr<uint64_t> CopyFileContents(int in_fd, int out_fd);

}  // namespace strata::fs
