#include "lib/tar/entry.h"

namespace strata::tar {

absl::string_view EntryTypeName(EntryType type) {
  switch (type) {
    case EntryType::kFile: return "file";
    case EntryType::kHardLink: return "hard link";
    case EntryType::kSymlink: return "symbolic link";
    case EntryType::kCharDevice: return "character device";
    case EntryType::kBlockDevice: return "block device";
    case EntryType::kDirectory: return "directory";
    case EntryType::kFifo: return "fifo";
  }
  return "unknown";
}

}  // namespace strata::tar
