#include "services/registry/routes/router.h"

#include <random>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "lib/base/status.h"
#include "lib/json/json.h"
#include "services/registry/mirror/mirrored_store.h"
#include "services/registry/repository/name.h"
#include "services/registry/routes/base.h"
#include "services/registry/routes/blobs.h"
#include "services/registry/routes/catalog.h"
#include "services/registry/routes/errors.h"
#include "services/registry/routes/manifests.h"
#include "services/registry/routes/referrers.h"
#include "services/registry/routes/search.h"
#include "services/registry/routes/tags.h"
#include "services/registry/routes/uploads.h"

namespace strata::registry {
namespace {

constexpr size_t kMaxRequestIdBytes = 64;

absl::Status ServeToken(const Exchange& exchange) {
  return exchange.services.access.ServeToken(exchange.context, exchange.request, exchange.response);
}

using RouteRow = Router::RouteRow;

constexpr RouteRow kRoutes[] = {
    {Endpoint::kBase, "GET", Action::kEnter, GetBase},
    {Endpoint::kExtensions, "GET", Action::kEnter, GetExtensions},
    {Endpoint::kCatalog, "GET", Action::kListRepositories, ListCatalog},
    {Endpoint::kLegacyPing, "GET", Action::kPing, LegacyPing},
    {Endpoint::kLegacySearch, "GET", Action::kListRepositories, SearchRepositories},
    {Endpoint::kBlob, "GET", Action::kPull, GetBlob},
    {Endpoint::kBlob, "DELETE", Action::kDelete, DeleteBlob},
    {Endpoint::kUploads, "POST", Action::kPush, StartUpload},
    {Endpoint::kUpload, "GET", Action::kPush, GetUpload},
    {Endpoint::kUpload, "PATCH", Action::kPush, PatchUpload},
    {Endpoint::kUpload, "PUT", Action::kPush, FinishUpload},
    {Endpoint::kUpload, "DELETE", Action::kPush, CancelUpload},
    {Endpoint::kManifest, "GET", Action::kPull, GetManifest},
    {Endpoint::kManifest, "PUT", Action::kPush, PutManifest},
    {Endpoint::kManifest, "DELETE", Action::kDelete, DeleteManifest},
    {Endpoint::kTags, "GET", Action::kPull, ListTags},
    {Endpoint::kReferrers, "GET", Action::kPull, ListReferrers},
    // Whoever asks for a token shows who it is in several ways; the endpoint reads them itself.
    {Endpoint::kToken, "GET", Action::kPing, ServeToken},
    {Endpoint::kToken, "POST", Action::kPing, ServeToken},
};

const RouteRow* FindRow(Endpoint endpoint, absl::string_view method) {
  if (method == "HEAD") method = "GET";
  for (const RouteRow& row : kRoutes) {
    if (row.endpoint == endpoint && row.method == method) return &row;
  }
  return nullptr;
}

std::string AllowedMethods(Endpoint endpoint) {
  std::string methods;
  for (const RouteRow& row : kRoutes) {
    if (row.endpoint != endpoint) continue;
    absl::StrAppend(&methods, methods.empty() ? "" : ", ", row.method, row.method == "GET" ? ", HEAD" : "");
  }
  return methods;
}

bool IsPlainId(absl::string_view id) {
  if (id.empty() || id.size() > kMaxRequestIdBytes) return false;
  for (const char c : id) {
    if (!absl::ascii_isalnum(c) && c != '-' && c != '_' && c != '.') return false;
  }
  return true;
}

std::string RandomPrefix() {
  std::random_device random;
  return absl::StrFormat("%08x", random());
}

// What a token would need to hold for the request. Clients ask the token server for exactly that.
std::vector<auth::Scope> NeededScopes(Action action, const Route& route, const http::Request& request) {
  switch (action) {
    case Action::kPull: return {{"repository", "", route.repository, {"pull"}}};
    case Action::kPush: {
      std::vector<auth::Scope> scopes = {{"repository", "", route.repository, {"pull", "push"}}};
      const absl::string_view from = request.query.Get("from");
      if (!from.empty() && CheckRepositoryName(from).ok()) scopes.push_back({"repository", "", std::string(from), {"pull"}});
      return scopes;
    }
    case Action::kDelete: return {{"repository", "", route.repository, {"delete"}}};
    case Action::kListRepositories: return {{"registry", "", "catalog", {"*"}}};
    default: return {};
  }
}

// The detail of UNAUTHORIZED and DENIED: which access was missing.
std::string ScopeDetail(const std::vector<auth::Scope>& scopes) {
  json::Value list = json::Value::array();
  for (const auth::Scope& scope : scopes) {
    for (const std::string& action : scope.actions) {
      json::Value entry = json::Value::object();
      entry["Type"] = scope.type;
      entry["Class"] = scope.resource_class;
      entry["Name"] = scope.name;
      entry["Action"] = action;
      list.push_back(std::move(entry));
    }
  }
  return list.empty() ? "null" : json::Dump(list);
}

bool HasRepository(Endpoint endpoint) {
  switch (endpoint) {
    case Endpoint::kBase:
    case Endpoint::kCatalog:
    case Endpoint::kExtensions:
    case Endpoint::kLegacyPing:
    case Endpoint::kLegacySearch:
    case Endpoint::kToken:
      return false;
    default:
      return true;
  }
}

// Runs the row over the repository's mirror, or over our own store. `outcome` becomes RequestRecord::mirror.
absl::Status Run(const RouteRow& row, const Exchange& exchange, const std::optional<mirror::Match>& match, std::string& outcome) {
  if (!match) return row.run(exchange);
  mirror::Mirrors& mirrors = *exchange.services.mirrors;
  if (match->yields_to_local) {
    const bool is_read = exchange.request.method == "GET" || exchange.is_head();
    if (!is_read) return row.run(exchange);
    STRATA_ASSIGN_OR_RETURN(const bool is_ours, mirrors.ExistsHere(exchange.context, *match));
    if (is_ours) return row.run(exchange);
  }
  mirror::MirroredStore store(mirrors, *match, exchange.response.headers());
  // Before the body of a push that nobody takes is read.
  if (row.action != Action::kPull) return store.ReadOnly();
  const Services mirrored = exchange.services.Over(store, store);
  const absl::Status status = row.run(Exchange{mirrored, exchange.request, exchange.response, exchange.route, exchange.context, exchange.caller});
  outcome = std::string(store.outcome());
  return status;
}

}  // namespace

Router::Router(Services services, const Clock& clock, Observer observer)
    : services_(std::move(services)), clock_(clock), observer_(std::move(observer)), id_prefix_(RandomPrefix()) {}

std::string Router::RequestId(const http::Request& request) {
  const absl::string_view given = request.headers.Get("X-Request-Id");
  if (IsPlainId(given)) return std::string(given);
  return absl::StrFormat("%s-%x", id_prefix_, next_id_.fetch_add(1, std::memory_order_relaxed));
}

std::optional<mirror::Match> Router::FindMirror(std::optional<Route>& route, const http::Request& request) const {
  if (services_.mirrors == nullptr || !route || !HasRepository(route->endpoint)) return std::nullopt;
  std::optional<mirror::Match> match = services_.mirrors->Find(route->repository, request.query.Get("ns"));
  if (match) route->repository = match->local_name;
  return match;
}

absl::Status Router::Dispatch(const std::optional<Route>& route, const std::optional<mirror::Match>& match, const http::Request& request,
                              http::ResponseWriter& response, CallContext& context, std::string& mirror_outcome) const {
  if (!route) {
    return absl::NotFoundError(
        absl::StrCat("there is nothing at \"", absl::CHexEscape(absl::string_view(request.path).substr(0, 120)), "\""));
  }
  if (HasRepository(route->endpoint)) {
    STRATA_RETURN_IF_ERROR(About(Subject::kName, CheckRepositoryName(route->repository)));
  }
  const RouteRow* row = FindRow(route->endpoint, request.method);
  if (row == nullptr) {
    const std::string allowed = AllowedMethods(route->endpoint);
    response.headers().Set("Allow", allowed);
    return absl::UnimplementedError(absl::StrCat("this address answers ", allowed, ", not ",
                                                 absl::CHexEscape(absl::string_view(request.method).substr(0, 20))));
  }
  const std::vector<auth::Scope> scopes = NeededScopes(row->action, *route, request);
  absl::Status outcome = RunAuthorized(*row, *route, match, scopes, request, response, context, mirror_outcome);
  if (absl::IsUnauthenticated(outcome)) services_.access.Challenge(request, scopes, ChallengeErrorOf(outcome), response.headers());
  return outcome;
}

absl::Status Router::RunAuthorized(const RouteRow& row, const Route& route, const std::optional<mirror::Match>& match,
                                   const std::vector<auth::Scope>& scopes, const http::Request& request, http::ResponseWriter& response,
                                   CallContext& context, std::string& mirror_outcome) const {
  auth::Caller caller;
  if (row.action != Action::kPing) {
    STRATA_ASSIGN_OR_RETURN(caller, services_.access.Authenticate(context, request));
    context.principal = caller.principal.is_anonymous() ? "" : caller.principal.ToString();
  }
  const Exchange exchange{services_, request, response, route, context, caller};
  STRATA_RETURN_IF_ERROR(WithDetail(ScopeDetail(scopes), exchange.Authorize(row.action, route.repository)));
  return Run(row, exchange, match, mirror_outcome);
}

void Router::Handle(const http::Request& request, http::ResponseWriter& response) {
  const absl::Time started = clock_.Now();
  CallContext context;
  context.request_id = RequestId(request);
  response.headers().Set("Docker-Distribution-API-Version", "registry/2.0");
  response.headers().Set("X-Content-Type-Options", "nosniff");
  response.headers().Set("X-Request-Id", context.request_id);
  std::optional<Route> route = ParsePath(request.path);
  const std::optional<mirror::Match> match = FindMirror(route, request);
  if (match && !match->ns.empty()) response.headers().Set("OCI-Namespace", match->ns);
  std::string mirror_outcome;
  absl::Status outcome = Dispatch(route, match, request, response, context, mirror_outcome);
  if (!outcome.ok()) {
    const absl::Status sent = SendError(response, outcome, context.request_id);
    if (!sent.ok()) outcome = Annotate(outcome, absl::StrCat("the answer could not be sent (", sent.message(), ")"));
  }
  observer_({
      .method = request.method,
      .path = request.path,
      .peer = request.peer,
      .request_id = context.request_id,
      .user_agent = std::string(request.headers.Get("User-Agent")),
      .principal = context.principal,
      .mirror = std::move(mirror_outcome),
      .endpoint = route ? std::optional<Endpoint>(route->endpoint) : std::nullopt,
      .http_status = response.status(),
      .response_bytes = response.body_bytes_sent(),
      .duration = clock_.Now() - started,
      .outcome = std::move(outcome),
  });
}

}  // namespace strata::registry
