// Opening listening sockets from their textual addresses, and naming addresses.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/unique_fd.h"

namespace strata::http {

struct Listener {
  UniqueFd socket;      // non-blocking
  std::string address;  // as given, the port filled in
  uint16_t port = 0;    // 0: not TCP
  bool speaks_tls = false;
};

// Takes what ServerOptions::listen describes; errors as Server::Start().
absl::StatusOr<Listener> Listen(absl::string_view address);

// "127.0.0.1:40312", "[::1]:40312" or "unix".
std::string AddressText(const sockaddr_storage& address);

}  // namespace strata::http
