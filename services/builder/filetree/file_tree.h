// Where COPY and ADD read from: a stage's files, the build context, a fetched file, behind one interface.
//
// Paths are relative to the tree's root, "/"-separated, without "." or ".." components; "" is the root. Thread-safe.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "lib/base/call_context.h"
#include "lib/base/unique_fd.h"
#include "lib/digest/digest.h"

namespace strata::filetree {

// What a tree knows of one path without reading content.
struct Node {
  std::string path;
  uint32_t mode = 0;            // st_mode
  uint32_t uid = 0;
  uint32_t gid = 0;
  int64_t size_bytes = 0;
  absl::Time mtime;
  std::string link_target;      // of a symbolic link
  uint32_t device_major = 0;
  uint32_t device_minor = 0;
  std::map<std::string, std::string> xattrs;
  uint64_t hard_link_id = 0;    // equal and not 0: names of one file
  Digest digest;                // of a regular file, when the tree knows it without reading

  bool is_dir() const { return S_ISDIR(mode); }
  bool is_regular() const { return S_ISREG(mode); }
  bool is_symlink() const { return S_ISLNK(mode); }
};

class FileTree {
 public:
  virtual ~FileTree() = default;
  // Does not follow a link in the last component, nor in any other; absent when there is no such path.
  virtual absl::StatusOr<std::optional<Node>> Lookup(absl::string_view path) const = 0;
  // The entries of a folder in byte order of their names. kNotFound, kFailedPrecondition: no such folder.
  virtual absl::StatusOr<std::vector<Node>> List(absl::string_view path) const = 0;
  // Content of a regular file, positioned at its start.
  virtual absl::StatusOr<UniqueFd> Open(const CallContext& context, const Node& node) const = 0;
  // Of a regular file; reads it when `node.digest` is empty.
  virtual absl::StatusOr<Digest> ContentDigest(const CallContext& context, const Node& node) const = 0;
  // Announces that these files will be opened: a tree that fetches content fetches them together.
  virtual absl::Status Prefetch(const CallContext& context, absl::Span<const Node> nodes) const = 0;
};

}  // namespace strata::filetree
