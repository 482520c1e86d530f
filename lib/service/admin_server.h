// The operator's port, plain HTTP: GET /healthz (the process lives), /readyz (200, or 503 and why), /metrics (Prometheus text),
// /debug/config and /debug/state (plain text). Keep it on loopback or a private network: it asks nobody who they are.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "lib/metrics/metrics.h"
#include "lib/service/readiness.h"

namespace strata::http {
class Server;
}

namespace strata::service {

struct AdminOptions {
  std::string listen;                    // as http::ServerOptions::listen
  std::function<std::string()> config;   // what /debug/config says, secrets already left out; empty: 404
  std::function<std::string()> state;    // what /debug/state says; may block; empty: 404
};

class AdminServer {
 public:
  // `metrics` and `readiness` outlive the server. Errors as of http::Server::Start().
  static absl::StatusOr<std::unique_ptr<AdminServer>> Start(AdminOptions options, const metrics::Registry& metrics,
                                                            const Readiness& readiness);
  ~AdminServer();

  // The port filled in.
  std::string address() const;

 private:
  explicit AdminServer(std::unique_ptr<http::Server> server);
  const std::unique_ptr<http::Server> server_;
};

}  // namespace strata::service
