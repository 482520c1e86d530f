#include "lib/bytes/byte_stream.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"

namespace strata {

absl::StatusOr<size_t> StringSource::Read(char* buffer, size_t size) {
  const size_t n = std::min(size, rest_.size());
  if (n > 0) std::memcpy(buffer, rest_.data(), n);
  rest_.remove_prefix(n);
  return n;
}

absl::Status StringSink::Write(absl::string_view data) {
  out_.append(data.data(), data.size());
  return absl::OkStatus();
}

absl::StatusOr<size_t> FdSource::Read(char* buffer, size_t size) {
  while (true) {
    const ssize_t n = ::read(fd_, buffer, size);
    if (n >= 0) return static_cast<size_t>(n);
    if (errno != EINTR) return ErrnoStatus(errno, "read");
  }
}

absl::Status FdSink::Write(absl::string_view data) { return WriteFully(fd_, data); }

absl::StatusOr<size_t> LimitedSource::Read(char* buffer, size_t size) {
  if (left_ == 0) return 0;
  STRATA_ASSIGN_OR_RETURN(const size_t n, inner_.Read(buffer, std::min<uint64_t>(size, left_)));
  left_ -= n;
  return n;
}

absl::StatusOr<uint64_t> CopyBytes(ByteSource& source, ByteSink& sink) {
  const auto buffer = std::make_unique<char[]>(kStreamChunkBytes);
  uint64_t total = 0;
  while (true) {
    STRATA_ASSIGN_OR_RETURN(const size_t n, source.Read(buffer.get(), kStreamChunkBytes));
    if (n == 0) return total;
    STRATA_RETURN_IF_ERROR(sink.Write(absl::string_view(buffer.get(), n)));
    total += n;
  }
}

absl::Status ReadExactly(ByteSource& source, char* buffer, size_t size) {
  size_t have = 0;
  while (have < size) {
    STRATA_ASSIGN_OR_RETURN(const size_t n, source.Read(buffer + have, size - have));
    if (n == 0) {
      return absl::OutOfRangeError(absl::StrCat("the stream ended after ", have, " of ", size, " bytes"));
    }
    have += n;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadAll(ByteSource& source, size_t limit_bytes) {
  std::string all;
  const auto buffer = std::make_unique<char[]>(kStreamChunkBytes);
  while (true) {
    STRATA_ASSIGN_OR_RETURN(const size_t n, source.Read(buffer.get(), kStreamChunkBytes));
    if (n == 0) return all;
    if (n > limit_bytes - all.size()) {
      return absl::ResourceExhaustedError(absl::StrCat("longer than the limit of ", limit_bytes, " bytes"));
    }
    all.append(buffer.get(), n);
  }
}

absl::Status WriteFully(int fd, absl::string_view data) {
  while (!data.empty()) {
    const ssize_t n = ::write(fd, data.data(), data.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return ErrnoStatus(errno, "write");
    }
    data.remove_prefix(static_cast<size_t>(n));
  }
  return absl::OkStatus();
}

}  // namespace strata
