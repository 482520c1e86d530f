// Redeems the tickets of DescriptorServers. One client serves a whole program; thread-safe.
//
// Keeps one connection to the server that it talked to last, and makes it again when it broke. A path where nobody listens is
// not tried again for a while: see IsWorthTrying(), so that a program on another host than the store asks for no tickets.
// No failure is final for a caller: the same bytes come through gRPC.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "lib/base/unique_fd.h"

namespace strata::descriptor {

// A connection to one process. Thread-safe.
class Connection {
 public:
  explicit Connection(UniqueFd socket) : socket_(std::move(socket)) {}
  int socket() const { return socket_.get(); }
  // The process at the other end still holds its end: it has not stopped, died or been restarted. One system call.
  bool IsAlive() const;

 private:
  const UniqueFd socket_;
};

struct ReceivedDescriptor {
  UniqueFd fd;
  std::shared_ptr<const Connection> from;  // to the process that gave it
};

struct DescriptorClientOptions {
  absl::Duration timeout = absl::Seconds(5);       // for one answer
  absl::Duration retry_after = absl::Seconds(10);  // how long a path that failed is left alone
};

class DescriptorClient {
 public:
  // `clock` outlives this object.
  explicit DescriptorClient(DescriptorClientOptions options = {}) : DescriptorClient(options, DefaultClock()) {}
  DescriptorClient(DescriptorClientOptions options, const Clock& clock) : options_(options), clock_(clock) {}

  // False for a while after no server could be reached, or after LeaveAlone().
  bool IsWorthTrying() const;
  // The store offers no tickets: asking it again soon is of no use.
  void LeaveAlone();

  // kNotFound: the server knows no such ticket (used, expired, of another store).
  // kUnavailable: nobody listens there, or the connection broke.  kDeadlineExceeded: no answer in time.
  absl::StatusOr<ReceivedDescriptor> Redeem(const std::string& path, absl::string_view ticket);

 private:
  static const Clock& DefaultClock();
  absl::StatusOr<std::shared_ptr<const Connection>> ConnectionTo(const std::string& path)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(conversation_);

  const DescriptorClientOptions options_;
  const Clock& clock_;

  Mutex conversation_;  // held from a question to its answer: a few microseconds, `timeout` at worst
  std::string path_ ABSL_GUARDED_BY(conversation_);
  std::shared_ptr<const Connection> connection_ ABSL_GUARDED_BY(conversation_);

  mutable Mutex mutex_;
  absl::Time not_before_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
};

}  // namespace strata::descriptor
