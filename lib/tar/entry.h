// One member of a tar archive, independent of the dialect it is written in.
// Spec: POSIX.1-2017 pax, "ustar Interchange Format" and "pax Interchange Format".
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace strata::tar {

enum class EntryType { kFile, kHardLink, kSymlink, kCharDevice, kBlockDevice, kDirectory, kFifo };

// "file", "hard link", "symbolic link", "character device", "block device", "directory", "fifo".
absl::string_view EntryTypeName(EntryType type);

// Value type. Names are bytes, not text: any byte but NUL may occur.
struct Entry {
  std::string name;  // as in the archive, without the slashes that end a directory's name; "" only for the name "/"
  EntryType type = EntryType::kFile;
  uint32_t mode = 0644;  // permission bits with setuid, setgid and sticky: 07777 at most
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint64_t size = 0;  // bytes of content that follow; 0 for everything but files
  absl::Time mtime = absl::UnixEpoch();
  std::string link_name;  // target of a hard or symbolic link
  uint32_t dev_major = 0;
  uint32_t dev_minor = 0;
  std::string user_name;
  std::string group_name;
  std::map<std::string, std::string> xattrs;  // by full name, as "security.capability"; values are bytes

  bool operator==(const Entry&) const = default;
};

}  // namespace strata::tar
