#include "lib/descriptor/descriptor_server.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "lib/base/status.h"
#include "lib/descriptor/unix_socket.h"

namespace strata::descriptor {

namespace {

// How long a descriptor whose ticket expired may stay open when nothing else happens.
constexpr int kTickMilliseconds = 5'000;

}  // namespace

absl::StatusOr<std::unique_ptr<DescriptorServer>> DescriptorServer::Start(DescriptorServerOptions options, const Clock& clock) {
  std::error_code error;
  options.path = std::filesystem::absolute(options.path, error).string();
  if (error) return ErrnoStatus(error.value(), "finding the folder of the descriptor socket");
  STRATA_ASSIGN_OR_RETURN(UniqueFd listener, ListenAt(options.path));
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake.is_valid()) return ErrnoStatus(errno, "eventfd");
  std::unique_ptr<DescriptorServer> server(
      new DescriptorServer(std::move(options), clock, std::move(listener), std::move(wake)));
  try {
    server->thread_ = std::thread(&DescriptorServer::Main, server.get());
  } catch (const std::system_error& failure) {
    return ErrnoStatus(failure.code().value(), "starting the descriptor thread");
  }
  return server;
}

DescriptorServer::DescriptorServer(DescriptorServerOptions options, const Clock& clock, UniqueFd listener, UniqueFd wake)
    : options_(std::move(options)),
      tickets_(options_.max_tickets, options_.ticket_life, clock),
      listener_(std::move(listener)),
      wake_(std::move(wake)) {}

DescriptorServer::~DescriptorServer() {
  // Best effort: the next start replaces a socket file that stays.
  ::unlink(options_.path.c_str());
  if (!thread_.joinable()) return;
  stopping_.store(true);
  (void)::eventfd_write(wake_.get(), 1);
  thread_.join();
}

void DescriptorServer::Main() {
  std::vector<UniqueFd> peers;
  std::vector<pollfd> polled;
  while (!stopping_.load()) {
    polled.assign({{.fd = wake_.get(), .events = POLLIN, .revents = 0}, {.fd = listener_.get(), .events = POLLIN, .revents = 0}});
    for (const UniqueFd& peer : peers) polled.push_back({.fd = peer.get(), .events = POLLIN, .revents = 0});
    ::poll(polled.data(), polled.size(), kTickMilliseconds);
    tickets_.Expire();
    for (size_t i = peers.size(); i-- > 0;) {
      if (polled[i + 2].revents != 0 && !Answer(peers[i].get())) peers.erase(peers.begin() + static_cast<ptrdiff_t>(i));
    }
    if (polled[1].revents != 0) Accept(peers);
  }
}

void DescriptorServer::Accept(std::vector<UniqueFd>& peers) {
  UniqueFd peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!peer.is_valid()) {
    // Out of descriptors: the connection stays pending; room comes with the next tick at the latest.
    if (errno == EMFILE || errno == ENFILE) {
      pollfd only_wake{.fd = wake_.get(), .events = POLLIN, .revents = 0};
      ::poll(&only_wake, 1, 100);
    }
    return;
  }
  if (peers.size() < options_.max_connections && PeerIsTrusted(peer.get())) peers.push_back(std::move(peer));
}

bool DescriptorServer::Answer(int peer) {
  const absl::StatusOr<Message> message = ReceiveMessage(peer, absl::ZeroDuration());
  if (absl::IsDeadlineExceeded(message.status())) return true;
  if (!message.ok() || message->text.size() != kTicketChars) return false;
  const absl::StatusOr<UniqueFd> fd = tickets_.Take(message->text);
  return fd.ok() ? SendMessage(peer, "F", fd->get()) : SendMessage(peer, "N");
}

}  // namespace strata::descriptor
