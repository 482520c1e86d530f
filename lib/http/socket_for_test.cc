#include "lib/http/socket_for_test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cstdlib>

#include "lib/base/check.h"

namespace strata::http {

SocketForTest::SocketForTest(uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const timeval timeout{.tv_sec = 10, .tv_usec = 0};
  STRATA_CHECK(::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) == 0);
  STRATA_CHECK(::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
}

bool SocketForTest::TrySend(absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

void SocketForTest::Send(absl::string_view bytes) { STRATA_CHECK(TrySend(bytes)); }

bool SocketForTest::Fill() {
  char piece[16 * 1024];
  const ssize_t n = ::recv(fd_.get(), piece, sizeof(piece), 0);
  if (n <= 0) return false;
  buffer_.append(piece, static_cast<size_t>(n));
  return true;
}

std::string SocketForTest::ReadHead() {
  size_t end;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (!Fill()) return std::exchange(buffer_, "");
  }
  std::string head = buffer_.substr(0, end + 4);
  buffer_.erase(0, end + 4);
  return head;
}

std::string SocketForTest::ReadBytes(size_t size) {
  while (buffer_.size() < size && Fill()) {
  }
  std::string bytes = buffer_.substr(0, size);
  buffer_.erase(0, bytes.size());
  return bytes;
}

std::string SocketForTest::ReadResponse() {
  std::string head = ReadHead();
  const size_t at = head.find("Content-Length: ");
  const size_t length = at == std::string::npos ? 0 : std::strtoul(head.c_str() + at + 16, nullptr, 10);
  return head + ReadBytes(length);
}

std::string SocketForTest::ReadToEnd() {
  while (Fill()) {
  }
  return std::exchange(buffer_, "");
}

void SocketForTest::CloseWriting() { ::shutdown(fd_.get(), SHUT_WR); }

void SocketForTest::SetReceiveBuffer(int bytes) {
  STRATA_CHECK(::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)) == 0);
}

}  // namespace strata::http
