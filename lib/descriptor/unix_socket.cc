#include "lib/descriptor/unix_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "lib/base/status.h"

namespace strata::descriptor {

namespace {

constexpr int kBacklog = 64;
constexpr size_t kMaxMessageBytes = 64;

// A path as the kernel takes it. Keeps the folder open as long as the address is used.
struct Address {
  UniqueFd folder;
  std::string name;  // in the folder
  sockaddr_un address = {};
  socklen_t size = 0;
};

absl::StatusOr<Address> Resolve(const std::string& path) {
  Address result;
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  result.name = slash == std::string::npos ? path : path.substr(slash + 1);
  if (result.name.empty()) return absl::InvalidArgumentError(absl::StrCat("\"", path, "\" names no socket file"));
  result.folder = UniqueFd(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!result.folder.is_valid()) return ErrnoStatus(errno, absl::StrCat("open ", folder));
  const std::string text = absl::StrCat("/proc/self/fd/", result.folder.get(), "/", result.name);
  if (text.size() >= sizeof(result.address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat("\"", result.name, "\" is too long a name for a socket file"));
  }
  result.address.sun_family = AF_UNIX;
  std::memcpy(result.address.sun_path, text.data(), text.size());
  result.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + text.size() + 1);
  return result;
}

UniqueFd NewSocket() { return UniqueFd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)); }

absl::StatusOr<UniqueFd> Connect(const Address& address, absl::string_view path) {
  UniqueFd socket = NewSocket();
  if (!socket.is_valid()) return ErrnoStatus(errno, "socket");
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address.address), address.size) == 0) return socket;
  return absl::UnavailableError(absl::StrCat("connecting to ", path, ": ", ErrnoStatus(errno, "refused").message()));
}

absl::Status RemoveStaleSocket(const Address& address, absl::string_view path) {
  struct stat info = {};
  if (::fstatat(address.folder.get(), address.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    return errno == ENOENT ? absl::OkStatus() : ErrnoStatus(errno, absl::StrCat("stat ", path));
  }
  if (!S_ISSOCK(info.st_mode)) return absl::FailedPreconditionError(absl::StrCat(path, " is in the way and is no socket"));
  if (Connect(address, path).ok()) {
    return absl::FailedPreconditionError(absl::StrCat("another process listens on ", path, "; stop it or choose another path"));
  }
  if (::unlinkat(address.folder.get(), address.name.c_str(), 0) != 0 && errno != ENOENT) {
    return ErrnoStatus(errno, absl::StrCat("remove the old ", path));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<UniqueFd> ListenAt(const std::string& path) {
  STRATA_ASSIGN_OR_RETURN(const Address address, Resolve(path));
  STRATA_RETURN_IF_ERROR(RemoveStaleSocket(address, path));
  UniqueFd socket = NewSocket();
  if (!socket.is_valid()) return ErrnoStatus(errno, "socket");
  // Before bind(): the file has this mode from its first moment.
  if (::fchmod(socket.get(), 0600) != 0) return ErrnoStatus(errno, "fchmod");
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address.address), address.size) != 0) {
    return ErrnoStatus(errno, absl::StrCat("bind ", path));
  }
  if (::listen(socket.get(), kBacklog) != 0) return ErrnoStatus(errno, absl::StrCat("listen on ", path));
  return socket;
}

absl::StatusOr<UniqueFd> ConnectTo(const std::string& path) {
  const absl::StatusOr<Address> address = Resolve(path);
  if (!address.ok()) return absl::UnavailableError(address.status().message());
  STRATA_ASSIGN_OR_RETURN(UniqueFd socket, Connect(*address, path));
  if (!PeerIsTrusted(socket.get())) return absl::UnavailableError(absl::StrCat(path, " belongs to another user"));
  return socket;
}

bool PeerIsTrusted(int socket) {
  ucred peer = {};
  socklen_t size = sizeof(peer);
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == 0 || peer.uid == ::geteuid();
}

bool SendMessage(int socket, absl::string_view message, int descriptor) {
  iovec piece = {const_cast<char*>(message.data()), message.size()};
  msghdr header = {};
  header.msg_iov = &piece;
  header.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  if (descriptor >= 0) {
    header.msg_control = control;
    header.msg_controllen = sizeof(control);
    cmsghdr& rights = *CMSG_FIRSTHDR(&header);
    rights.cmsg_level = SOL_SOCKET;
    rights.cmsg_type = SCM_RIGHTS;
    rights.cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(&rights), &descriptor, sizeof(int));
  }
  while (true) {
    const ssize_t n = ::sendmsg(socket, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    return n == static_cast<ssize_t>(message.size());
  }
}

absl::StatusOr<Message> ReceiveMessage(int socket, absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  while (true) {
    char text[kMaxMessageBytes];
    iovec piece = {text, sizeof(text)};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr header = {};
    header.msg_iov = &piece;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof(control);
    const ssize_t n = ::recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n >= 0) {
      Message message{std::string(text, static_cast<size_t>(n)), UniqueFd()};
      const cmsghdr* rights = CMSG_FIRSTHDR(&header);
      if (rights != nullptr && rights->cmsg_level == SOL_SOCKET && rights->cmsg_type == SCM_RIGHTS &&
          rights->cmsg_len == CMSG_LEN(sizeof(int))) {
        int descriptor = -1;
        std::memcpy(&descriptor, CMSG_DATA(rights), sizeof(int));
        message.descriptor = UniqueFd(descriptor);
      }
      return message;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return absl::UnavailableError(ErrnoStatus(errno, "receiving a descriptor").message());
    const absl::Duration left = deadline - absl::Now();
    if (left <= absl::ZeroDuration()) return absl::DeadlineExceededError("no answer came in time");
    pollfd poller{.fd = socket, .events = POLLIN, .revents = 0};
    ::poll(&poller, 1, static_cast<int>(std::min<int64_t>(absl::ToInt64Milliseconds(left) + 1, 60'000)));
  }
}

}  // namespace strata::descriptor
