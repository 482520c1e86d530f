#include "lib/fs/copy.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "lib/base/status.h"
#include "lib/bytes/byte_stream.h"

namespace strata::fs {
namespace {

constexpr size_t kRangeBytes = 256 * 1024 * 1024;  // of one kernel call, so that a signal is not kept waiting for long

bool CannotCopyInKernel(int error_number) {
  return error_number == EXDEV || error_number == EINVAL || error_number == ENOSYS || error_number == EOPNOTSUPP || error_number == EPERM;
}

absl::Status CopyByHand(int in_fd, int out_fd, off_t from, off_t to) {
  const auto buffer = std::make_unique<char[]>(kStreamChunkBytes);
  if (::lseek(out_fd, from, SEEK_SET) < 0) return ErrnoStatus(errno, "copy: seek");
  while (from < to) {
    const size_t want = std::min<size_t>(kStreamChunkBytes, static_cast<size_t>(to - from));
    const ssize_t n = ::pread(in_fd, buffer.get(), want, from);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoStatus(errno, "copy: read");
    if (n == 0) return absl::AbortedError("copy: the file became shorter while it was read");
    STRATA_RETURN_IF_ERROR(WriteFully(out_fd, absl::string_view(buffer.get(), static_cast<size_t>(n))));
    from += n;
  }
  return absl::OkStatus();
}

absl::Status CopyRange(int in_fd, int out_fd, off_t from, off_t to) {
  off_t in_offset = from;
  off_t out_offset = from;
  while (in_offset < to) {
    const size_t want = std::min<size_t>(kRangeBytes, static_cast<size_t>(to - in_offset));
    const ssize_t n = ::copy_file_range(in_fd, &in_offset, out_fd, &out_offset, want, 0);
    if (n > 0 || (n < 0 && errno == EINTR)) continue;
    // Some file systems (of /proc, for one) answer 0 although there is content.
    if (n == 0 || CannotCopyInKernel(errno)) return CopyByHand(in_fd, out_fd, in_offset, to);
    return ErrnoStatus(errno, "copy");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<uint64_t> CopyFileContents(int in_fd, int out_fd) {
  struct stat stat;
  if (::fstat(in_fd, &stat) != 0) return ErrnoStatus(errno, "copy: stat");
  const off_t size = stat.st_size;
  off_t at = 0;
  while (at < size) {
    off_t data = ::lseek(in_fd, at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;  // only a hole is left
    off_t hole = data < 0 ? -1 : ::lseek(in_fd, data, SEEK_HOLE);
    if (data < 0 || hole < 0) {  // the file system does not tell holes
      data = at;
      hole = size;
    }
    hole = std::min(hole, size);
    STRATA_RETURN_IF_ERROR(CopyRange(in_fd, out_fd, data, hole));
    at = hole;
  }
  if (::ftruncate(out_fd, size) != 0) return ErrnoStatus(errno, "copy: set the size");
  return static_cast<uint64_t>(size);
}

}  // namespace strata::fs
