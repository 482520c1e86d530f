// Channels to our services.
#pragma once

#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace grpc {
class Channel;
class ChannelArguments;
}  // namespace grpc

namespace strata::rpc {

// A channel to "host:port" or "unix:/path"; connects at the first call, and again within a second after the peer was away.
// Never fails: an address that cannot be reached fails the calls, see FromGrpc(). Thread-safe.
std::shared_ptr<grpc::Channel> Connect(const std::string& address);

// What makes 1 MiB messages fast (large frames and reads, no bandwidth probe), message limits and keepalive; both ends use it.
grpc::ChannelArguments TransportArguments();

inline constexpr int kMaxMessageBytes = 16 * 1024 * 1024;
// The size in which content travels.
inline constexpr size_t kContentMessageBytes = 1024 * 1024;

}  // namespace strata::rpc
