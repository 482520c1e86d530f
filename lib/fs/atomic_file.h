// Replacing a file so that after a crash either the old or the new content is there, whole.
#pragma once

#include <sys/types.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace strata::fs {

// Writes `data` to a temporary file beside `path`, syncs it, renames it over `path` and syncs the directory. When it returns OK
// the content is durable. On errors (as ErrnoStatus()) the old file is untouched, and the temporary one is removed.
absl::Status WriteFileAtomically(const std::string& path, absl::string_view data, mode_t mode = 0644);

}  // namespace strata::fs
