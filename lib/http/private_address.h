// Which addresses no stranger's URL may lead a server to: its own host and network. A guard against server-side request forgery.
#pragma once

#include <sys/socket.h>

#include <string>

namespace strata::http {

// Loopback, private, link-local, carrier-grade NAT, unspecified, multicast, reserved and benchmarking addresses of IPv4; the same
// of IPv6, with IPv4 addresses inside of mapped, NAT64 and 6to4 ones looked at as such. True for families that are neither.
bool IsPrivateAddress(const sockaddr& address);

// "10.0.0.7", "fe80::1"; "an address of another family".
std::string AddressText(const sockaddr& address);

}  // namespace strata::http
