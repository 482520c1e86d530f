#include "lib/http/transport.h"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace strata::http {
namespace {

IoResult ResultOf(ssize_t n, IoResult::Kind would_block) {
  if (n >= 0) return {IoResult::Kind::kMoved, static_cast<size_t>(n)};
  if (errno == EAGAIN || errno == EWOULDBLOCK) return {would_block};
  return {IoResult::Kind::kFailed, 0, errno};
}

class PlainTransport final : public Transport {
 public:
  explicit PlainTransport(UniqueFd socket) : socket_(std::move(socket)) {}

  IoResult TryRead(char* buffer, size_t size) override {
    ssize_t n;
    do {
      n = ::recv(socket_.get(), buffer, size, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    return ResultOf(n, IoResult::Kind::kWantRead);
  }

  IoResult TryWrite(std::span<const iovec> pieces, bool more) override {
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(pieces.data());
    message.msg_iovlen = pieces.size();
    ssize_t n;
    do {
      n = ::sendmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL | (more ? MSG_MORE : 0));
    } while (n < 0 && errno == EINTR);
    return ResultOf(n, IoResult::Kind::kWantWrite);
  }

  IoResult TrySendFile(int file, uint64_t offset, size_t size) override {
    auto at = static_cast<off_t>(offset);
    ssize_t n;
    do {
      n = ::sendfile(socket_.get(), file, &at, size);
    } while (n < 0 && errno == EINTR);
    return ResultOf(n, IoResult::Kind::kWantWrite);
  }

  bool can_send_file() const override { return true; }

  IoResult TryFillPipe(int pipe, size_t size) override {
    ssize_t n;
    do {
      n = ::splice(socket_.get(), nullptr, pipe, nullptr, size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    } while (n < 0 && errno == EINTR);
    return ResultOf(n, IoResult::Kind::kWantRead);
  }

  bool can_fill_pipe() const override { return true; }
  int fd() const override { return socket_.get(); }
  void EndWriting() override { ::shutdown(socket_.get(), SHUT_WR); }

 private:
  UniqueFd socket_;
};

}  // namespace

std::unique_ptr<Transport> MakePlainTransport(UniqueFd socket) {
  return std::make_unique<PlainTransport>(std::move(socket));
}

}  // namespace strata::http
