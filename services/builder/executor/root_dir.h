// A root file system that untrusted code wrote: opening files in it without ever leaving it.
//
// Every lookup is openat2 with RESOLVE_IN_ROOT, so that symbolic links and ".." end at this root, whatever they say.
// Thread-compatible.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/unique_fd.h"

namespace strata::executor {

class RootDir {
 public:
  static absl::StatusOr<RootDir> Open(const std::string& path);

  int fd() const { return fd_.get(); }

  // Opens `path` inside the root, following links inside it. `flags` as for open(2); O_CLOEXEC is added. kNotFound: no such path.
  absl::StatusOr<UniqueFd> OpenInside(absl::string_view path, int flags) const;

  // The whole of a regular file. kNotFound: none. kResourceExhausted: longer than `limit_bytes`. kInvalidArgument: no regular file.
  absl::StatusOr<std::string> ReadFile(absl::string_view path, size_t limit_bytes) const;

  // Where `path` really is: absolute, without links and "..". What does not exist yet is kept as it is written.
  // kInvalidArgument: too many links, or something on the way is no directory.
  absl::StatusOr<std::string> Resolve(absl::string_view path) const;

 private:
  explicit RootDir(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
};

}  // namespace strata::executor
