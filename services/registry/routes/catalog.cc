#include "services/registry/routes/catalog.h"

#include "lib/base/status.h"
#include "lib/json/json.h"
#include "services/registry/routes/page.h"

namespace strata::registry {
namespace {

constexpr PageLimits kCatalogPages = {.otherwise = 1000, .most = 1000};

}  // namespace

absl::Status ListCatalog(const Exchange& exchange) {
  STRATA_ASSIGN_OR_RETURN(const PageRequest page, ParsePage(exchange.request.query, kCatalogPages));
  json::Value names = json::Value::array();
  if (!page.is_empty()) {
    STRATA_ASSIGN_OR_RETURN(const auto found,
                            exchange.services.refs.ListRepositories(exchange.context, page.last, page.limit));
    for (const std::string& name : found.items) {
      if (exchange.Authorize(Action::kSee, name).ok()) names.push_back(name);
    }
    if (found.has_more && !found.items.empty()) {
      AddNextLink(exchange.response.headers(), "/v2/_catalog", page, found.items.back());
    }
  }
  json::Value body = json::Value::object();
  body["repositories"] = std::move(names);
  return exchange.response.SendText("application/json", json::Dump(body));
}

}  // namespace strata::registry
