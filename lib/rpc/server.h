// A gRPC server of synchronous services: listening, limits, health, reflection, drain.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace grpc {
class Service;
}
namespace strata::metrics {
class Registry;
}

namespace strata::rpc {

struct ServerOptions {
  std::vector<std::string> listen = {"127.0.0.1:0"};  // "host:port" (0: any free port) or "unix:/path" (made with mode 0660)
  int max_threads = 256;           // calls at the same moment, nearly; more are answered RESOURCE_EXHAUSTED
  int max_streams_a_connection = 256;
  metrics::Registry* metrics = nullptr;  // outlives the server; where calls are counted (call_metrics.h)
};

// Thread-safe.
class Server {
 public:
  // Serves `services`, which outlive the server, with grpc.health.v1.Health and server reflection.
  // kInvalidArgument: no address; kUnavailable: cannot listen on one, the message names it and says why.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options, const std::vector<grpc::Service*>& services);
  virtual ~Server() = default;  // as Shutdown(absl::ZeroDuration())

  // Ports filled in.
  virtual const std::vector<std::string>& addresses() const = 0;

  // What the health service says; true after Start().
  virtual void SetServing(bool is_serving) = 0;

  // Takes no new calls, lets running ones finish for at most `drain`, then cancels them and waits for their handlers. Blocks.
  virtual void Shutdown(absl::Duration drain) = 0;
};

}  // namespace strata::rpc
