#include "lib/http/server.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <utility>

#include "absl/time/clock.h"
#include "lib/base/mutex.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/http/connection.h"
#include "lib/http/listener.h"
#include "lib/http/tls_transport.h"
#include "lib/http/worker_pool.h"

namespace strata::http {
namespace {

constexpr size_t kScratchBytes = 16 * 1024;
constexpr int kEventsAtOnce = 128;
constexpr int kAcceptsAtOnce = 64;
// After so many pipelined requests in a row a connection goes to the back of the queue.
constexpr int kServesInARow = 16;

// A head is at the front of the connection's buffer, good or bad.
bool IsHead(Connection::Collected collected) {
  return collected == Connection::Collected::kComplete || collected == Connection::Collected::kTooLarge;
}

// Why not Asio: it keeps every socket registered edge-triggered, so each packet of a busy upload would wake the io thread for
// nothing. With EPOLLONESHOT a busy connection is silent, and a worker re-arms it without waking anybody.
class ServerImpl final : public Server {
 public:
  ServerImpl(ServerOptions options, Handler handler) : options_(std::move(options)), handler_(std::move(handler)) {}
  ~ServerImpl() override { Shutdown(absl::ZeroDuration()); }

  absl::Status Open();
  uint16_t port() const override;
  std::vector<std::string> addresses() const override;
  size_t connections() const override;
  void Shutdown(absl::Duration drain) override;

 private:
  // kIdle: armed in epoll, may be closed by the io thread. kBusy: owned by the io thread or a worker.
  enum class State { kIdle, kBusy };
  struct Entry {
    Entry(std::unique_ptr<Transport> transport, std::string peer, const ServerImpl& server)
        : connection(std::move(transport), std::move(peer), server.options_, server.handler_, server.draining_) {}
    Connection connection;
    absl::Time deadline;             // of the wait, while idle
    bool collects_head = false;      // `deadline` is that of a request head that has begun
    State state = State::kBusy;      // guarded by the server's mutex_
    bool is_armed_once = false;      // known to epoll
  };

  void IoMain();
  absl::Duration Tick() const;
  void OnEvent(const epoll_event& event);
  void AcceptAll(const Listener& listener);
  void SetAccepting(bool accepting);
  void OnReadable(Entry& entry);
  void CollectOnWorker(Entry& entry);
  void ServeOnWorker(Entry& entry);
  void CloseOrWait(Entry& entry, Connection::Collected collected);
  void Wait(Entry& entry, Connection::Collected want);
  void Close(Entry& entry);
  void CloseExpired(absl::Time now);
  void CloseListenersAndIdle();
  void Wake();
  bool WaitUntilNoConnections(absl::Time until);

  const ServerOptions options_;
  const Handler handler_;
  std::atomic<bool> draining_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> accept_again_{false};  // room was made while accepting was paused
  UniqueFd epoll_;
  UniqueFd wake_;
  std::vector<Listener> listeners_;  // constant after Open(); the sockets are the io thread's
  bool accepting_ = true;            // the io thread's
  bool listeners_closed_ = false;    // the io thread's
  std::string scratch_;              // the io thread's

  mutable Mutex mutex_;
  CondVar connection_closed_;
  std::unordered_map<Entry*, std::unique_ptr<Entry>> entries_ ABSL_GUARDED_BY(mutex_);

  std::unique_ptr<WorkerPool> pool_;
  std::thread io_thread_;
  Mutex shutdown_mutex_;  // one Shutdown() at a time
};

absl::Status ServerImpl::Open() {
  if (options_.worker_threads == 0 || options_.max_connections == 0 ||
      (options_.listen.empty() && options_.tls_listen.empty())) {
    return absl::InvalidArgumentError("an HTTP server needs a listen address, a worker thread and a connection at least");
  }
  if (!options_.tls_listen.empty() && options_.tls == nullptr) {
    return absl::InvalidArgumentError("an address that speaks TLS needs a certificate");
  }
  // sendfile() on a socket whose peer is gone raises SIGPIPE, and has no flag against it.
  if (struct sigaction old; ::sigaction(SIGPIPE, nullptr, &old) == 0 && old.sa_handler == SIG_DFL) ::signal(SIGPIPE, SIG_IGN);

  epoll_ = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
  wake_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!epoll_.is_valid() || !wake_.is_valid()) return ErrnoStatus(errno, "starting the HTTP server");
  for (const std::string& address : options_.listen) {
    STRATA_ASSIGN_OR_RETURN(Listener listener, Listen(address));
    listeners_.push_back(std::move(listener));
  }
  for (const std::string& address : options_.tls_listen) {
    STRATA_ASSIGN_OR_RETURN(Listener listener, Listen(address));
    listener.speaks_tls = true;
    listeners_.push_back(std::move(listener));
  }
  epoll_event event{};
  event.events = EPOLLIN;
  for (Listener& listener : listeners_) {
    event.data.ptr = &listener;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, listener.socket.get(), &event) != 0) return ErrnoStatus(errno, "epoll_ctl");
  }
  event.data.ptr = &wake_;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) != 0) return ErrnoStatus(errno, "epoll_ctl");
  scratch_.resize(kScratchBytes);
  pool_ = std::make_unique<WorkerPool>(options_.worker_threads);
  try {
    io_thread_ = std::thread(&ServerImpl::IoMain, this);
  } catch (const std::system_error& error) {
    return ErrnoStatus(error.code().value(), "starting the io thread");
  }
  return absl::OkStatus();
}

uint16_t ServerImpl::port() const {
  for (const Listener& listener : listeners_) {
    if (listener.port != 0) return listener.port;
  }
  return 0;
}

std::vector<std::string> ServerImpl::addresses() const {
  std::vector<std::string> all;
  for (const Listener& listener : listeners_) all.push_back(listener.address);
  return all;
}

size_t ServerImpl::connections() const {
  MutexLock lock(mutex_);
  return entries_.size();
}

absl::Duration ServerImpl::Tick() const {
  const absl::Duration shortest = std::min(options_.idle_timeout, options_.header_timeout);
  return std::clamp(shortest / 4, absl::Milliseconds(10), absl::Seconds(1));
}

void ServerImpl::IoMain() {
  std::array<epoll_event, kEventsAtOnce> events;
  absl::Time next_sweep = absl::Now() + Tick();
  while (!stopping_.load()) {
    const int timeout = static_cast<int>(absl::ToInt64Milliseconds(Tick()));
    const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), timeout);
    for (int i = 0; i < count; ++i) OnEvent(events[i]);
    if (draining_.load()) {
      CloseListenersAndIdle();
      continue;
    }
    if (accept_again_.exchange(false)) SetAccepting(true);
    if (const absl::Time now = absl::Now(); now >= next_sweep) {
      next_sweep = now + Tick();
      CloseExpired(now);
      SetAccepting(true);
    }
  }
}

void ServerImpl::OnEvent(const epoll_event& event) {
  if (event.data.ptr == &wake_) {
    eventfd_t ignored;
    (void)::eventfd_read(wake_.get(), &ignored);
    return;
  }
  for (const Listener& listener : listeners_) {
    if (event.data.ptr == &listener) return AcceptAll(listener);
  }
  Entry& entry = *static_cast<Entry*>(event.data.ptr);
  {
    MutexLock lock(mutex_);
    entry.state = State::kBusy;
  }
  OnReadable(entry);
}

void ServerImpl::AcceptAll(const Listener& listener) {
  for (int i = 0; i < kAcceptsAtOnce && !draining_.load(); ++i) {
    if (connections() >= options_.max_connections) return SetAccepting(false);
    sockaddr_storage peer{};
    socklen_t size = sizeof(peer);
    UniqueFd socket(::accept4(listener.socket.get(), reinterpret_cast<sockaddr*>(&peer), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket.is_valid()) {
      // Out of descriptors or memory: the pending connection stays ready, so do not spin on it.
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) SetAccepting(false);
      return;
    }
    std::unique_ptr<Transport> transport = listener.speaks_tls ? MakeTlsTransport(std::move(socket), options_.tls->Current())
                                                               : MakePlainTransport(std::move(socket));
    if (transport == nullptr) continue;
    auto entry = std::make_unique<Entry>(std::move(transport), AddressText(peer), *this);
    Entry& added = *entry;
    {
      MutexLock lock(mutex_);
      entries_.emplace(&added, std::move(entry));
    }
    Wait(added, Connection::Collected::kNeedRead);
  }
}

// Paused accepting is resumed when a connection closes, and tried again with every sweep.
void ServerImpl::SetAccepting(bool accepting) {
  if (accepting_ == accepting || listeners_closed_) return;
  accepting_ = accepting;
  for (Listener& listener : listeners_) {
    epoll_event event{};
    event.events = accepting ? uint32_t{EPOLLIN} : 0;
    event.data.ptr = &listener;
    (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, listener.socket.get(), &event);
  }
}

void ServerImpl::OnReadable(Entry& entry) {
  if (entry.connection.is_handshaking()) return pool_->Run([this, &entry] { CollectOnWorker(entry); });
  const Connection::Collected collected = entry.connection.Collect(scratch_);
  if (IsHead(collected)) return pool_->Run([this, &entry] { ServeOnWorker(entry); });
  CloseOrWait(entry, collected);
}

void ServerImpl::CollectOnWorker(Entry& entry) {
  std::string scratch(kScratchBytes, '\0');
  const Connection::Collected collected = entry.connection.Collect(scratch);
  if (IsHead(collected)) return ServeOnWorker(entry);
  CloseOrWait(entry, collected);
}

void ServerImpl::ServeOnWorker(Entry& entry) {
  entry.collects_head = false;
  for (int i = 0; i < kServesInARow; ++i) {
    if (!entry.connection.Serve()) return Close(entry);
    if (!entry.connection.has_unread()) return Wait(entry, Connection::Collected::kNeedRead);
    std::string scratch(kScratchBytes, '\0');
    if (const Connection::Collected collected = entry.connection.Collect(scratch); !IsHead(collected)) {
      return CloseOrWait(entry, collected);
    }
  }
  pool_->Run([this, &entry] { ServeOnWorker(entry); });
}

void ServerImpl::CloseOrWait(Entry& entry, Connection::Collected collected) {
  if (collected == Connection::Collected::kClosed) return Close(entry);
  Wait(entry, collected);
}

// Gives the connection back to epoll. Once the lock is released another thread may own it, or have closed it.
void ServerImpl::Wait(Entry& entry, Connection::Collected want) {
  if (!entry.connection.has_partial_head()) {
    entry.collects_head = false;
    entry.deadline = absl::Now() + options_.idle_timeout;
  } else if (!entry.collects_head) {
    entry.collects_head = true;
    entry.deadline = absl::Now() + options_.header_timeout;
  }
  epoll_event event{};
  event.events = EPOLLONESHOT | (want == Connection::Collected::kNeedWrite ? EPOLLOUT : EPOLLIN);
  event.data.ptr = &entry;
  {
    MutexLock lock(mutex_);
    const int operation = std::exchange(entry.is_armed_once, true) ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (!draining_.load() && ::epoll_ctl(epoll_.get(), operation, entry.connection.fd(), &event) == 0) {
      entry.state = State::kIdle;
      return;
    }
  }
  Close(entry);
}

void ServerImpl::Close(Entry& entry) {
  std::unique_ptr<Entry> closed;
  {
    MutexLock lock(mutex_);
    const auto found = entries_.find(&entry);
    closed = std::move(found->second);
    entries_.erase(found);
    // Signalled under the lock: after it, Shutdown() may already have destroyed the server.
    connection_closed_.SignalAll();
    if (entries_.size() + 1 == options_.max_connections) {
      accept_again_.store(true);
      Wake();
    }
  }
}

void ServerImpl::CloseExpired(absl::Time now) {
  std::vector<std::unique_ptr<Entry>> expired;
  {
    MutexLock lock(mutex_);
    for (auto it = entries_.begin(); it != entries_.end();) {
      if (it->second->state == State::kIdle && now >= it->second->deadline) {
        expired.push_back(std::move(it->second));
        it = entries_.erase(it);
      } else {
        ++it;
      }
    }
    connection_closed_.SignalAll();
  }
  for (const auto& entry : expired) {
    if (entry->collects_head) entry->connection.SendTimeout();
  }
}

void ServerImpl::CloseListenersAndIdle() {
  if (!std::exchange(listeners_closed_, true)) {
    for (Listener& listener : listeners_) listener.socket.Reset();
  }
  std::vector<std::unique_ptr<Entry>> idle;
  {
    MutexLock lock(mutex_);
    for (auto it = entries_.begin(); it != entries_.end();) {
      if (it->second->state == State::kIdle) {
        idle.push_back(std::move(it->second));
        it = entries_.erase(it);
      } else {
        ++it;
      }
    }
    connection_closed_.SignalAll();
  }
}

void ServerImpl::Wake() { (void)::eventfd_write(wake_.get(), 1); }

bool ServerImpl::WaitUntilNoConnections(absl::Time until) {
  MutexLock lock(mutex_);
  while (!entries_.empty()) {
    const absl::Time now = absl::Now();
    if (now >= until) return false;
    connection_closed_.WaitFor(mutex_, std::min(until - now, absl::Seconds(60)));
  }
  return true;
}

void ServerImpl::Shutdown(absl::Duration drain) {
  MutexLock only_one(shutdown_mutex_);
  if (!io_thread_.joinable()) return;
  draining_.store(true);
  Wake();
  if (!WaitUntilNoConnections(absl::Now() + drain)) {
    {
      MutexLock lock(mutex_);
      for (const auto& [entry, owner] : entries_) ::shutdown(entry->connection.fd(), SHUT_RDWR);
    }
    WaitUntilNoConnections(absl::InfiniteFuture());
  }
  stopping_.store(true);
  Wake();
  io_thread_.join();
  pool_.reset();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(ServerOptions options, Handler handler) {
  auto server = std::make_unique<ServerImpl>(std::move(options), std::move(handler));
  STRATA_RETURN_IF_ERROR(server->Open());
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace strata::http
