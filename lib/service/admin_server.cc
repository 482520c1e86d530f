#include "lib/service/admin_server.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/http/server.h"

namespace strata::service {

namespace {

constexpr char kText[] = "text/plain; charset=utf-8";
constexpr char kExposition[] = "text/plain; version=0.0.4; charset=utf-8";

class Pages {
 public:
  Pages(AdminOptions options, const metrics::Registry& metrics, const Readiness& readiness)
      : options_(std::move(options)), metrics_(metrics), readiness_(readiness) {}

  // A client that went away is nobody's loss.
  void Answer(const http::Request& request, http::ResponseWriter& response) const {
    if (request.method != "GET" && request.method != "HEAD") {
      response.SetStatus(405);
      response.headers().Set("Allow", "GET, HEAD");
      response.SendText(kText, "only GET and HEAD\n").IgnoreError();
    } else if (request.path == "/healthz") {
      response.SendText(kText, "ok\n").IgnoreError();
    } else if (request.path == "/readyz") {
      const std::string reason = readiness_.reason();
      if (!reason.empty()) response.SetStatus(503);
      response.SendText(kText, reason.empty() ? "ready\n" : absl::StrCat(reason, "\n")).IgnoreError();
    } else if (request.path == "/metrics") {
      response.SendText(kExposition, metrics_.Render()).IgnoreError();
    } else if (request.path == "/debug/config" && options_.config) {
      response.SendText(kText, options_.config()).IgnoreError();
    } else if (request.path == "/debug/state" && options_.state) {
      response.SendText(kText, options_.state()).IgnoreError();
    } else {
      response.SetStatus(404);
      response.SendText(kText, "try /healthz, /readyz, /metrics, /debug/config or /debug/state\n").IgnoreError();
    }
  }

 private:
  const AdminOptions options_;
  const metrics::Registry& metrics_;
  const Readiness& readiness_;
};

}  // namespace

AdminServer::AdminServer(std::unique_ptr<http::Server> server) : server_(std::move(server)) {}
AdminServer::~AdminServer() = default;

absl::StatusOr<std::unique_ptr<AdminServer>> AdminServer::Start(AdminOptions options, const metrics::Registry& metrics,
                                                                const Readiness& readiness) {
  http::ServerOptions server_options;
  server_options.listen = {options.listen};
  server_options.max_connections = 64;
  server_options.worker_threads = 4;
  // Shared: the handler is a copyable function that the server keeps.
  auto pages = std::make_shared<const Pages>(std::move(options), metrics, readiness);
  STRATA_ASSIGN_OR_RETURN(std::unique_ptr<http::Server> server,
                          http::Server::Start(std::move(server_options),
                                              [pages](const http::Request& request, http::ResponseWriter& response) {
                                                pages->Answer(request, response);
                                              }));
  return std::unique_ptr<AdminServer>(new AdminServer(std::move(server)));
}

std::string AdminServer::address() const { return server_->addresses().front(); }

}  // namespace strata::service
