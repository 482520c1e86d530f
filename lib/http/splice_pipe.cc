#include "lib/http/splice_pipe.h"

#include <fcntl.h>

#include <cerrno>
#include <utility>

#include "lib/base/status.h"

namespace strata::http {
namespace {

constexpr int kPipeBytes = 1024 * 1024;

}  // namespace

absl::StatusOr<SplicePipe> SplicePipe::Open() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return ErrnoStatus(errno, "pipe for a request body");
  SplicePipe pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
  // Refused when the user has many large pipes already: the usual 64 KiB only cost more calls.
  (void)::fcntl(ends[1], F_SETPIPE_SZ, kPipeBytes);
  return pipe;
}

absl::StatusOr<size_t> SplicePipe::Write(absl::string_view bytes) {
  while (true) {
    const ssize_t n = ::write(input_.get(), bytes.data(), bytes.size());
    if (n >= 0) {
      held_ += static_cast<size_t>(n);
      return static_cast<size_t>(n);
    }
    if (errno == EAGAIN) return 0;
    if (errno != EINTR) return ErrnoStatus(errno, "buffering a request body");
  }
}

absl::Status SplicePipe::DrainTo(int file, uint64_t offset) {
  while (held_ > 0) {
    auto at = static_cast<off_t>(offset);
    const ssize_t n = ::splice(output_.get(), nullptr, file, &at, held_, SPLICE_F_MOVE);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoStatus(errno, "writing the request body to its file");
    if (n == 0) return absl::InternalError("a pipe lost bytes of a request body");
    held_ -= static_cast<size_t>(n);
    offset += static_cast<uint64_t>(n);
  }
  return absl::OkStatus();
}

}  // namespace strata::http
