// A file without a name, gone with its descriptor.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"

namespace strata::ops {

class TemporaryFile {
 public:
  static absl::StatusOr<TemporaryFile> Create(const std::string& folder) {
    UniqueFd fd(::open(folder.c_str(), O_RDWR | O_TMPFILE | O_CLOEXEC, 0600));
    if (!fd.is_valid()) return ErrnoStatus(errno, "making a temporary file");
    return TemporaryFile(std::move(fd));
  }
  int fd() const { return fd_.get(); }
  absl::Status Rewind() const {
    return ::lseek(fd_.get(), 0, SEEK_SET) == 0 ? absl::OkStatus() : ErrnoStatus(errno, "rewinding a temporary file");
  }

 private:
  explicit TemporaryFile(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace strata::ops
