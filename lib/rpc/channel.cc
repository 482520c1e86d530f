#include "lib/rpc/channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include "lib/rpc/grpc_log.h"

namespace strata::rpc {

namespace {

constexpr int kMebibyte = 1024 * 1024;
constexpr int kSecond = 1000;

}  // namespace

grpc::ChannelArguments TransportArguments() {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, kMaxMessageBytes);
  arguments.SetInt(GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, -1);
  arguments.SetInt(GRPC_ARG_MAX_METADATA_SIZE, 32 * 1024);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, kMebibyte);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 8 * kMebibyte);
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetInt("grpc.experimental.tcp_read_chunk_size", kMebibyte);
  arguments.SetInt("grpc.experimental.tcp_min_read_chunk_size", kMebibyte / 4);
  arguments.SetInt("grpc.experimental.tcp_max_read_chunk_size", 4 * kMebibyte);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 60 * kSecond);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20 * kSecond);
  return arguments;
}

std::shared_ptr<grpc::Channel> Connect(const std::string& address) {
  AdoptGrpcLog();
  grpc::ChannelArguments arguments = TransportArguments();
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  // In spite of its name, how long one attempt may take: a peer across the world, or a busy one, answers the handshake late.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 10 * kSecond);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kSecond);
  // Two clients of one process must not share a connection's fate or its flow control.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace strata::rpc
