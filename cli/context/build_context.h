// The files a build may copy from: a folder, or the content of a tar. Nothing of it leaves the machine until the builder asks.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cli/context/context_filter.h"
#include "lib/base/call_context.h"
#include "lib/bytes/byte_stream.h"
#include "lib/digest/digest.h"

namespace strata::cli {

struct ContextEntry {
  std::string path;             // relative, clean
  uint32_t mode = 0;            // st_mode
  int64_t size_bytes = 0;       // of regular files
  int64_t mtime_ns = 0;
  std::string link_target;      // of symbolic links
  Digest digest;                // of regular files
  uint32_t device_major = 0;
  uint32_t device_minor = 0;
  std::map<std::string, std::string> xattrs;  // user.* and security.capability only
};

// Whether an extended attribute is part of a context.
bool IsContextXattr(absl::string_view name);

// Thread-compatible: one call at a time.
class BuildContext {
 public:
  virtual ~BuildContext() = default;
  // What the filter takes, with the folders above it, in byte order of the paths. Sockets are left out.
  // Errors name the path: kPermissionDenied, kAborted the tree changes while it is read, kCancelled.
  virtual absl::StatusOr<std::vector<ContextEntry>> List(const CallContext& call, const ContextFilter& filter) = 0;
  // Content of a regular file that List() returned. Open() or the last Read() fails with kAborted when the file is no longer what
  // was listed. The source must not outlive this object.
  virtual absl::StatusOr<std::unique_ptr<ByteSource>> Open(const ContextEntry& entry) = 0;
  // A file of the root or below, links inside followed; absent when there is none. kResourceExhausted: longer than the limit.
  virtual absl::StatusOr<std::optional<std::string>> ReadFile(absl::string_view path, size_t limit_bytes) = 0;
  // The target of the link at `path`; absent when there is no such path or it is no link.
  virtual std::optional<std::string> LinkTarget(absl::string_view path) = 0;
  // The names in the folder at `path`, "" for the root; none when it is no folder or cannot be read.
  virtual std::vector<std::string> FolderNames(absl::string_view path) = 0;
};

}  // namespace strata::cli
