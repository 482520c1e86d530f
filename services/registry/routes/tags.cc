#include "services/registry/routes/tags.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/json/json.h"
#include "services/registry/routes/errors.h"
#include "services/registry/routes/page.h"

namespace strata::registry {
namespace {

// Old clients take the first page for all tags, so it is as long as the store's pages may be.
constexpr PageLimits kTagPages = {.otherwise = 10'000, .most = 10'000};

}  // namespace

absl::Status ListTags(const Exchange& exchange) {
  STRATA_ASSIGN_OR_RETURN(const PageRequest page, ParsePage(exchange.request.query, kTagPages));
  const std::string& repository = exchange.route.repository;
  // With n=0 the store is asked all the same: an unknown repository is 404 whatever n says.
  STRATA_ASSIGN_OR_RETURN(const auto found, About(Subject::kName, exchange.services.refs.ListTags(
                                                                      exchange.context, repository, page.last,
                                                                      std::max(page.limit, 1))));
  json::Value tags = json::Value::array();
  if (!page.is_empty()) {
    for (const blobstore::TagEntry& tag : found.items) tags.push_back(tag.name);
    if (found.has_more && !found.items.empty()) {
      AddNextLink(exchange.response.headers(), absl::StrCat("/v2/", repository, "/tags/list"), page,
                  found.items.back().name);
    }
  }
  json::Value body = json::Value::object();
  body["name"] = repository;
  body["tags"] = std::move(tags);
  return exchange.response.SendText("application/json", json::Dump(body));
}

}  // namespace strata::registry
