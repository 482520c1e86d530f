// The registry's request handler: finds the endpoint, checks names and permissions, runs the route, answers its errors.
//
// Every route is a row of one table (router.cc): endpoint, method, the permission it needs, the function.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/http/request.h"
#include "lib/http/response.h"
#include "services/registry/routes/exchange.h"

namespace strata::registry {

// What the access log and the metrics learn of a request that is over.
struct RequestRecord {
  std::string method;
  std::string path;
  std::string peer;
  std::string request_id;
  std::string user_agent;
  std::string principal;  // "user:alice"; empty: nobody in particular
  std::string mirror;  // "hit", "miss", "stale"...: what became of a mirrored manifest or blob; else ""
  std::optional<Endpoint> endpoint;  // nullopt: the path names none
  int http_status = 0;
  uint64_t response_bytes = 0;  // content sent
  absl::Duration duration;
  absl::Status outcome;  // why it failed, in full
};

// Thread-safe.
class Router {
 public:
  // Called on the request's thread when its answer is out.
  using Observer = std::function<void(const RequestRecord&)>;

  struct RouteRow {
    Endpoint endpoint;
    absl::string_view method;  // HEAD goes with GET
    Action action;
    absl::Status (*run)(const Exchange&);
  };

  // What `services` refers to, and `clock`, outlive the router.
  Router(Services services, const Clock& clock, Observer observer);

  void Handle(const http::Request& request, http::ResponseWriter& response);

 private:
  // The client's X-Request-Id when it is short and plain, else a new one.
  std::string RequestId(const http::Request& request);
  absl::Status Dispatch(const std::optional<Route>& route, const std::optional<mirror::Match>& match, const http::Request& request,
                        http::ResponseWriter& response, CallContext& context, std::string& mirror_outcome) const;
  absl::Status RunAuthorized(const RouteRow& row, const Route& route, const std::optional<mirror::Match>& match,
                             const std::vector<auth::Scope>& scopes, const http::Request& request, http::ResponseWriter& response,
                             CallContext& context, std::string& mirror_outcome) const;
  // The mirror that the request is for. Gives the route the name that the repository has here.
  std::optional<mirror::Match> FindMirror(std::optional<Route>& route, const http::Request& request) const;

  const Services services_;
  const Clock& clock_;
  const Observer observer_;
  const std::string id_prefix_;  // random: ids of two replicas differ
  std::atomic<uint64_t> next_id_{1};
};

}  // namespace strata::registry
