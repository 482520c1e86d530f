#include "lib/http/listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/base/status.h"
#include "lib/http/headers.h"

namespace strata::http {
namespace {

constexpr int kBacklog = 4096;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

absl::Status BadAddress(absl::string_view address) {
  return absl::InvalidArgumentError(absl::StrCat("listen address \"", address,
                                                 "\": write \"IP:port\", \"[IPv6]:port\" or \"unix:/path\""));
}

absl::StatusOr<SocketAddress> ParseIpAddress(absl::string_view address) {
  const size_t colon = address.rfind(':');
  if (colon == absl::string_view::npos) return BadAddress(address);
  const auto port = ParseDecimal(address.substr(colon + 1));
  if (!port || *port > 65535) return BadAddress(address);
  std::string host(address.substr(0, colon));
  SocketAddress parsed;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    auto& ip = reinterpret_cast<sockaddr_in6&>(parsed.storage);
    if (::inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &ip.sin6_addr) != 1) return BadAddress(address);
    ip.sin6_family = AF_INET6;
    ip.sin6_port = htons(static_cast<uint16_t>(*port));
    parsed.size = sizeof(ip);
    return parsed;
  }
  if (host == "localhost") host = "127.0.0.1";
  auto& ip = reinterpret_cast<sockaddr_in&>(parsed.storage);
  if (::inet_pton(AF_INET, host.c_str(), &ip.sin_addr) != 1) return BadAddress(address);
  ip.sin_family = AF_INET;
  ip.sin_port = htons(static_cast<uint16_t>(*port));
  parsed.size = sizeof(ip);
  return parsed;
}

absl::StatusOr<SocketAddress> ParseUnixAddress(absl::string_view path) {
  SocketAddress parsed;
  auto& name = reinterpret_cast<sockaddr_un&>(parsed.storage);
  if (path.empty() || path.size() >= sizeof(name.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat("listen address \"unix:", path, "\": the path must have 1 to ",
                                                   sizeof(name.sun_path) - 1, " bytes"));
  }
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, path.data(), path.size());
  parsed.size = sizeof(name);
  return parsed;
}

// A socket file outlives the process that made it; anything else at that path is not ours to remove.
void RemoveStaleSocket(const std::string& path) {
  struct stat info;
  if (::lstat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode)) ::unlink(path.c_str());
}

}  // namespace

std::string AddressText(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    const auto& ip = reinterpret_cast<const sockaddr_in&>(address);
    ::inet_ntop(AF_INET, &ip.sin_addr, text, sizeof(text));
    return absl::StrCat(text, ":", ntohs(ip.sin_port));
  }
  if (address.ss_family == AF_INET6) {
    const auto& ip = reinterpret_cast<const sockaddr_in6&>(address);
    ::inet_ntop(AF_INET6, &ip.sin6_addr, text, sizeof(text));
    return absl::StrCat("[", text, "]:", ntohs(ip.sin6_port));
  }
  return "unix";
}

absl::StatusOr<Listener> Listen(absl::string_view address) {
  absl::string_view path = address;
  const bool is_unix = absl::ConsumePrefix(&path, "unix:");
  STRATA_ASSIGN_OR_RETURN(const SocketAddress bound, is_unix ? ParseUnixAddress(path) : ParseIpAddress(address));
  const std::string where = absl::StrCat("listening on ", address);

  Listener listener;
  listener.socket = UniqueFd(::socket(bound.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener.socket.is_valid()) return ErrnoStatus(errno, where);
  const int fd = listener.socket.get();
  const int on = 1;
  if (is_unix) {
    RemoveStaleSocket(std::string(path));
  } else if (::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
             ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0) {  // inherited by accepted sockets
    return ErrnoStatus(errno, where);
  }
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&bound.storage), bound.size) != 0) {
    if (errno == EADDRINUSE) return absl::UnavailableError(absl::StrCat(where, ": the address is in use by another process"));
    return ErrnoStatus(errno, where);
  }
  if (is_unix && ::chmod(std::string(path).c_str(), 0660) != 0) return ErrnoStatus(errno, where);
  if (::listen(fd, kBacklog) != 0) return ErrnoStatus(errno, where);

  listener.address = std::string(address);
  if (is_unix) return listener;
  sockaddr_storage actual{};
  socklen_t size = sizeof(actual);
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&actual), &size) != 0) return ErrnoStatus(errno, where);
  listener.address = AddressText(actual);
  listener.port = ntohs(actual.ss_family == AF_INET ? reinterpret_cast<sockaddr_in&>(actual).sin_port
                                                    : reinterpret_cast<sockaddr_in6&>(actual).sin6_port);
  return listener;
}

}  // namespace strata::http
