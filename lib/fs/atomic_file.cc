#include "lib/fs/atomic_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/bytes/byte_stream.h"
#include "lib/fs/dir.h"

namespace strata::fs {
namespace {

absl::Status WriteAndSync(int fd, absl::string_view data, mode_t mode) {
  STRATA_RETURN_IF_ERROR(WriteFully(fd, data));
  if (::fchmod(fd, mode) != 0) return ErrnoStatus(errno, "set mode");
  if (::fsync(fd) != 0) return ErrnoStatus(errno, "sync");
  return absl::OkStatus();
}

}  // namespace

absl::Status WriteFileAtomically(const std::string& path, absl::string_view data, mode_t mode) {
  const std::string where = absl::StrCat("write \"", path, "\"");
  const size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  STRATA_ASSIGN_OR_RETURN(const UniqueFd directory_fd, OpenDirectory(directory));
  std::string temporary = absl::StrCat(path, ".tmp-XXXXXX");
  UniqueFd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd.is_valid()) return ErrnoStatus(errno, where);
  absl::Status status = WriteAndSync(fd.get(), data, mode);
  if (status.ok() && std::rename(temporary.c_str(), path.c_str()) != 0) status = ErrnoStatus(errno, "rename");
  if (!status.ok()) {
    ::unlink(temporary.c_str());
    return Annotate(status, where);
  }
  return Annotate(SyncDirectory(directory_fd.get()), where);
}

}  // namespace strata::fs
