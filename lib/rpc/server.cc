#include "lib/rpc/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/support/server_interceptor.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <mutex>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/rpc/call_metrics.h"
#include "lib/rpc/channel.h"
#include "lib/rpc/grpc_log.h"

namespace strata::rpc {

namespace {

constexpr char kUnixPrefix[] = "unix:";

std::string SocketPath(absl::string_view address) {
  absl::string_view path = absl::StripPrefix(address, kUnixPrefix);
  absl::ConsumePrefix(&path, "//");
  return std::string(path);
}

absl::Status TryUnix(const std::string& path) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof name.sun_path) {
    return absl::InvalidArgumentError(absl::StrCat("a socket path has 1 to ", sizeof name.sun_path - 1, " bytes"));
  }
  std::memcpy(name.sun_path, path.data(), path.size());
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.is_valid() || ::bind(fd.get(), reinterpret_cast<sockaddr*>(&name), sizeof name) != 0) {
    return ErrnoStatus(errno, "bind");
  }
  ::unlink(path.c_str());
  return absl::OkStatus();
}

absl::Status TryTcp(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) return absl::InvalidArgumentError("want host:port or unix:/path");
  std::string host = address.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), address.substr(colon + 1).c_str(), &hints, &found);
  if (error != 0) return absl::InvalidArgumentError(::gai_strerror(error));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, ::freeaddrinfo);
  const UniqueFd fd(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  if (!fd.is_valid() || ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::bind(fd.get(), found->ai_addr, found->ai_addrlen) != 0 || ::listen(fd.get(), 1) != 0) {
    return ErrnoStatus(errno, "bind");
  }
  return absl::OkStatus();
}

// gRPC says why it cannot listen only in its own log; binding ourselves tells.
absl::Status WhyNot(const std::vector<std::string>& addresses) {
  for (const std::string& address : addresses) {
    const absl::Status status = absl::StartsWith(address, kUnixPrefix) ? TryUnix(SocketPath(address)) : TryTcp(address);
    if (!status.ok()) return absl::UnavailableError(absl::StrCat("cannot listen on ", address, ": ", status.message()));
  }
  return absl::UnavailableError("the gRPC server did not start; log lines at the debug level say why");
}

std::string WithPort(const std::string& address, int port) {
  if (absl::StartsWith(address, kUnixPrefix)) return address;
  return absl::StrCat(address.substr(0, address.rfind(':')), ":", port);
}

class SyncServer final : public Server {
 public:
  SyncServer(std::unique_ptr<grpc::Server> server, std::vector<std::string> addresses)
      : server_(std::move(server)), addresses_(std::move(addresses)) {}
  ~SyncServer() override { Shutdown(absl::ZeroDuration()); }

  const std::vector<std::string>& addresses() const override { return addresses_; }

  void SetServing(bool is_serving) override { server_->GetHealthCheckService()->SetServingStatus(is_serving); }

  void Shutdown(absl::Duration drain) override {
    if (is_shut_down_.exchange(true)) return server_->Wait();
    server_->GetHealthCheckService()->SetServingStatus(false);
    server_->Shutdown(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(drain));
    server_->Wait();
  }

 private:
  const std::unique_ptr<grpc::Server> server_;
  const std::vector<std::string> addresses_;
  std::atomic<bool> is_shut_down_{false};
};

void InstallPlugins() {
  AdoptGrpcLog();
  static std::once_flag once;
  std::call_once(once, [] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  });
}

void ApplyLimits(const ServerOptions& options, grpc::ServerBuilder& builder) {
  const grpc::ChannelArguments arguments = TransportArguments();
  const grpc_channel_args channel_args = arguments.c_channel_args();
  for (size_t i = 0; i < channel_args.num_args; ++i) {
    const grpc_arg& argument = channel_args.args[i];
    if (argument.type == GRPC_ARG_INTEGER) builder.AddChannelArgument(argument.key, argument.value.integer);
  }
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  builder.SetMaxSendMessageSize(-1);
  // Two processes on one port would each get half of the calls.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, options.max_streams_a_connection);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  grpc::ResourceQuota quota("strata");
  quota.SetMaxThreads(options.max_threads);
  builder.SetResourceQuota(quota);
  builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::MIN_POLLERS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::MAX_POLLERS, 2);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options,
                                                      const std::vector<grpc::Service*>& services) {
  if (options.listen.empty()) return absl::InvalidArgumentError("no address to listen on");
  InstallPlugins();
  grpc::ServerBuilder builder;
  ApplyLimits(options, builder);
  if (options.metrics != nullptr) {
    std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> interceptors;
    interceptors.push_back(NewCallMetrics(*options.metrics));
    builder.experimental().SetInterceptorCreators(std::move(interceptors));
  }
  std::vector<int> ports(options.listen.size(), 0);
  for (size_t i = 0; i < options.listen.size(); ++i) {
    builder.AddListeningPort(options.listen[i], grpc::InsecureServerCredentials(), &ports[i]);
  }
  for (grpc::Service* service : services) builder.RegisterService(service);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return WhyNot(options.listen);
  std::vector<std::string> addresses;
  for (size_t i = 0; i < options.listen.size(); ++i) {
    addresses.push_back(WithPort(options.listen[i], ports[i]));
    if (!absl::StartsWith(options.listen[i], kUnixPrefix)) continue;
    const std::string path = SocketPath(options.listen[i]);
    if (::chmod(path.c_str(), 0660) != 0) return ErrnoStatus(errno, absl::StrCat("chmod ", path));
  }
  return std::make_unique<SyncServer>(std::move(server), std::move(addresses));
}

}  // namespace strata::rpc
