// SOCK_SEQPACKET sockets by path, and messages of a few bytes that may carry one descriptor. For this room only.
//
// Paths may be longer than the 107 bytes of sockaddr_un: the folder is opened and named through /proc/self/fd.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/base/unique_fd.h"

namespace strata::descriptor {

// A listening socket of mode 0600. A socket file that nobody listens on any more is replaced.
// kFailedPrecondition: another process listens there, or something that is no socket is in the way.
absl::StatusOr<UniqueFd> ListenAt(const std::string& path);

// kUnavailable: nobody listens there, or it is the socket of another user.
absl::StatusOr<UniqueFd> ConnectTo(const std::string& path);

// The peer runs as root or as this process's user.
bool PeerIsTrusted(int socket);

// Never blocks. False: the peer is gone or does not read. `descriptor` < 0: none is attached.
bool SendMessage(int socket, absl::string_view message, int descriptor = -1);

struct Message {
  std::string text;  // empty: the peer is gone
  UniqueFd descriptor;
};
// Waits at most `timeout`. kDeadlineExceeded: nothing came. kUnavailable: the connection broke.
absl::StatusOr<Message> ReceiveMessage(int socket, absl::Duration timeout);

}  // namespace strata::descriptor
