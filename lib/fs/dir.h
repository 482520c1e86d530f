// Directories by descriptor: opening, listing in a fixed order, removing whole trees.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/unique_fd.h"

namespace strata::fs {

// Opens a directory of ours by its path (O_RDONLY). For paths that others choose use beneath.h.
absl::StatusOr<UniqueFd> OpenDirectory(const std::string& path);

struct DirEntry {
  std::string name;
  unsigned char type = 0;  // DT_REG, DT_DIR, ...; DT_UNKNOWN on some file systems
};
// The entries without "." and "..", sorted by the bytes of their names. Reads from the start whatever was read of `dir_fd` before.
absl::StatusOr<std::vector<DirEntry>> ListDirectory(int dir_fd);

// Removes `name` in `dir_fd` with everything in it, however deep; never follows a symlink, never leaves the tree. OK when there
// is no such name. kAborted: someone moved directories of the tree meanwhile. Mounts inside make it fail (EBUSY).
absl::Status RemoveAllAt(int dir_fd, absl::string_view name);
// The same for everything in `dir_fd`, which stays.
absl::Status RemoveContents(int dir_fd);

// Makes a created, renamed or removed name in the directory durable.
absl::Status SyncDirectory(int dir_fd);

}  // namespace strata::fs
