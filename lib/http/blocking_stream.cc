#include "lib/http/blocking_stream.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "lib/base/status.h"
#include "lib/bytes/byte_stream.h"

namespace strata::http {
namespace {

constexpr uint64_t kSmallFileBytes = 64 * 1024;
constexpr uint64_t kMappedWriteBytes = 1024 * 1024;
// Measured on loopback: the default lets the kernel queue megabytes that fall out of the CPU cache before the reader copies
// them. Over a real network the setting would switch autotuning off, so it is for local peers only.
constexpr int kLocalSendBufferBytes = 128 * 1024;

absl::Status PeerError(int error_number, absl::string_view what) {
  if (error_number == EFAULT) return absl::DataLossError("the file shrank while it was being sent");
  return absl::UnavailableError(absl::StrCat(what, ": ", ErrnoStatus(error_number, "the peer went away").message()));
}

bool IsLoopback(const sockaddr_storage& address) {
  if (address.ss_family == AF_UNIX) return true;
  if (address.ss_family == AF_INET) {
    return (ntohl(reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr) >> 24) == 127;
  }
  if (address.ss_family != AF_INET6) return false;
  const in6_addr& ip = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
  return IN6_IS_ADDR_LOOPBACK(&ip) || (IN6_IS_ADDR_V4MAPPED(&ip) && ip.s6_addr[12] == 127);
}

bool SameIp(const sockaddr_storage& a, const sockaddr_storage& b) {
  if (a.ss_family != b.ss_family) return false;
  if (a.ss_family == AF_INET) {
    return reinterpret_cast<const sockaddr_in&>(a).sin_addr.s_addr == reinterpret_cast<const sockaddr_in&>(b).sin_addr.s_addr;
  }
  return a.ss_family == AF_INET6 && std::memcmp(&reinterpret_cast<const sockaddr_in6&>(a).sin6_addr,
                                                &reinterpret_cast<const sockaddr_in6&>(b).sin6_addr, sizeof(in6_addr)) == 0;
}

}  // namespace

absl::Status BlockingStream::Wait(IoResult::Kind want, ProgressMeter& meter) {
  pollfd poller{.fd = transport_.fd(), .events = static_cast<short>(want == IoResult::Kind::kWantRead ? POLLIN : POLLOUT)};
  while (true) {
    const absl::Duration left = meter.Left();
    if (left <= absl::ZeroDuration()) {
      return absl::DeadlineExceededError("the peer makes no progress; the connection is given up");
    }
    const absl::Time before = absl::Now();
    const int ready = ::poll(&poller, 1, static_cast<int>(std::min<int64_t>(absl::ToInt64Milliseconds(left) + 1, 3'600'000)));
    meter.Waited(absl::Now() - before);
    if (ready > 0) return absl::OkStatus();
    if (ready < 0 && errno != EINTR) return ErrnoStatus(errno, "poll");
  }
}

absl::StatusOr<size_t> BlockingStream::Read(char* buffer, size_t size) {
  while (true) {
    const IoResult result = transport_.TryRead(buffer, size);
    switch (result.kind) {
      case IoResult::Kind::kMoved:
        reading_.Moved(result.bytes);
        return result.bytes;
      case IoResult::Kind::kFailed:
        return PeerError(result.error_number, "reading");
      default:
        STRATA_RETURN_IF_ERROR(Wait(result.kind, reading_));
    }
  }
}

absl::StatusOr<std::optional<size_t>> BlockingStream::FillPipe(SplicePipe& pipe, size_t size, bool wait) {
  while (true) {
    const IoResult result = transport_.TryFillPipe(pipe.input(), size);
    switch (result.kind) {
      case IoResult::Kind::kMoved:
        reading_.Moved(result.bytes);
        pipe.Filled(result.bytes);
        return result.bytes;
      case IoResult::Kind::kFailed:
        return PeerError(result.error_number, "reading");
      default:
        if (!wait) return std::nullopt;
        STRATA_RETURN_IF_ERROR(Wait(result.kind, reading_));
    }
  }
}

absl::Status BlockingStream::Write(absl::string_view head, absl::string_view body, bool more) {
  while (!head.empty() || !body.empty()) {
    std::array<iovec, 2> pieces;
    size_t count = 0;
    if (!head.empty()) pieces[count++] = {const_cast<char*>(head.data()), head.size()};
    if (!body.empty()) pieces[count++] = {const_cast<char*>(body.data()), body.size()};
    const IoResult result = transport_.TryWrite(std::span(pieces.data(), count), more);
    switch (result.kind) {
      case IoResult::Kind::kMoved: {
        writing_.Moved(result.bytes);
        const size_t of_head = std::min(result.bytes, head.size());
        head.remove_prefix(of_head);
        body.remove_prefix(result.bytes - of_head);
        break;
      }
      case IoResult::Kind::kFailed:
        return PeerError(result.error_number, "writing");
      default:
        STRATA_RETURN_IF_ERROR(Wait(result.kind, writing_));
    }
  }
  return absl::OkStatus();
}

absl::Status BlockingStream::WriteFile(int file, uint64_t offset, uint64_t length) {
  if (length <= kSmallFileBytes) return WriteSmallFile(file, offset, length);
  if (PeerIsLocal() || !transport_.can_send_file()) return WriteMapped(file, offset, length);
  return WriteBySendFile(file, offset, length);
}

absl::Status BlockingStream::WriteSmallFile(int file, uint64_t offset, uint64_t length) {
  std::vector<char> buffer(length);
  size_t have = 0;
  while (have < length) {
    const ssize_t n = ::pread(file, buffer.data() + have, length - have, static_cast<off_t>(offset + have));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoStatus(errno, "reading the file to send");
    if (n == 0) return absl::DataLossError("the file is shorter than what was to be sent");
    have += static_cast<size_t>(n);
  }
  return Write(absl::string_view(buffer.data(), buffer.size()));
}

absl::Status BlockingStream::WriteMapped(int file, uint64_t offset, uint64_t length) {
  const uint64_t skip = offset % static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  void* mapped = ::mmap(nullptr, length + skip, PROT_READ, MAP_SHARED, file, static_cast<off_t>(offset - skip));
  if (mapped == MAP_FAILED) return ErrnoStatus(errno, "mapping the file to send");
  absl::string_view rest(static_cast<const char*>(mapped) + skip, length);
  absl::Status status;
  while (status.ok() && !rest.empty()) {
    const absl::string_view piece = rest.substr(0, kMappedWriteBytes);
    status = Write(piece);
    rest.remove_prefix(piece.size());
  }
  ::munmap(mapped, length + skip);
  return status;
}

absl::Status BlockingStream::WriteBySendFile(int file, uint64_t offset, uint64_t length) {
  while (length > 0) {
    const IoResult result = transport_.TrySendFile(file, offset, std::min<uint64_t>(length, 1u << 30));
    switch (result.kind) {
      case IoResult::Kind::kMoved:
        if (result.bytes == 0) return absl::DataLossError("the file is shorter than what was to be sent");
        writing_.Moved(result.bytes);
        offset += result.bytes;
        length -= result.bytes;
        break;
      case IoResult::Kind::kFailed:
        return PeerError(result.error_number, "writing");
      default:
        STRATA_RETURN_IF_ERROR(Wait(result.kind, writing_));
    }
  }
  return absl::OkStatus();
}

void BlockingStream::Linger(uint64_t limit_bytes, absl::Duration timeout) {
  transport_.EndWriting();
  ProgressMeter lingering(timeout, UINT64_MAX);
  char scrap[16 * 1024];
  while (limit_bytes > 0) {
    const IoResult result = transport_.TryRead(scrap, std::min<uint64_t>(sizeof(scrap), limit_bytes));
    if (result.kind == IoResult::Kind::kFailed) return;
    if (result.kind == IoResult::Kind::kMoved) {
      if (result.bytes == 0) return;
      limit_bytes -= result.bytes;
    } else if (!Wait(IoResult::Kind::kWantRead, lingering).ok()) {
      return;
    }
  }
}

bool BlockingStream::PeerIsLocal() {
  if (locality_ != Locality::kUnknown) return locality_ == Locality::kLocal;
  sockaddr_storage peer{}, own{};
  socklen_t peer_size = sizeof(peer), own_size = sizeof(own);
  const bool known = ::getpeername(transport_.fd(), reinterpret_cast<sockaddr*>(&peer), &peer_size) == 0 &&
                     ::getsockname(transport_.fd(), reinterpret_cast<sockaddr*>(&own), &own_size) == 0;
  locality_ = known && (IsLoopback(peer) || SameIp(peer, own)) ? Locality::kLocal : Locality::kRemote;
  if (locality_ == Locality::kLocal) {
    // Best effort: a refusal costs speed only.
    (void)::setsockopt(transport_.fd(), SOL_SOCKET, SO_SNDBUF, &kLocalSendBufferBytes, sizeof(kLocalSendBufferBytes));
  }
  return locality_ == Locality::kLocal;
}

}  // namespace strata::http
