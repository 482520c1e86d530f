#include "services/registry/routes/search.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/base/status.h"
#include "lib/json/json.h"
#include "services/registry/routes/errors.h"
#include "services/registry/routes/page.h"

namespace strata::registry {
namespace {

constexpr PageLimits kSearchResults = {.otherwise = 25, .most = 100};
constexpr int kNamesAtOnce = 10'000;
constexpr size_t kMaxQueryBytes = 256;  // as long as a repository name: nothing longer can match

using Words = std::vector<std::string>;

bool Matches(absl::string_view name, const Words& words) {
  return std::all_of(words.begin(), words.end(),
                     [name](const std::string& word) { return absl::StrContains(name, word); });
}

absl::StatusOr<std::vector<std::string>> FindNames(const Exchange& exchange, const Words& words, size_t limit) {
  std::vector<std::string> names;
  std::string last;
  for (int searched = 0; searched < kMaxNamesSearched; searched += kNamesAtOnce) {
    STRATA_ASSIGN_OR_RETURN(const auto page,
                            exchange.services.refs.ListRepositories(exchange.context, last, kNamesAtOnce));
    for (const std::string& name : page.items) {
      if (!Matches(name, words) || !exchange.Authorize(Action::kSee, name).ok()) continue;
      names.push_back(name);
      if (names.size() == limit) return names;
    }
    if (!page.has_more || page.items.empty()) break;
    last = page.items.back();
  }
  return names;
}

}  // namespace

absl::Status LegacyPing(const Exchange& exchange) {
  exchange.response.headers().Set("X-Docker-Registry-Standalone", "true");
  return exchange.response.SendText("application/json", "true");
}

absl::Status SearchRepositories(const Exchange& exchange) {
  STRATA_ASSIGN_OR_RETURN(const PageRequest page, ParsePage(exchange.request.query, kSearchResults));
  const std::string query(exchange.request.query.Get("q"));
  if (query.size() > kMaxQueryBytes) {
    return About(Subject::kName, absl::InvalidArgumentError(absl::StrCat(
                                     "the search text has ", query.size(), " bytes; at most ", kMaxQueryBytes, " make sense")));
  }
  const Words words = absl::StrSplit(absl::AsciiStrToLower(query), ' ', absl::SkipEmpty());
  std::vector<std::string> names;
  if (!page.is_empty()) {
    STRATA_ASSIGN_OR_RETURN(names, FindNames(exchange, words, static_cast<size_t>(page.limit)));
  }
  json::Value results = json::Value::array();
  for (const std::string& name : names) {
    json::Value result = json::Value::object();
    result["name"] = name;
    result["description"] = "";
    result["star_count"] = 0;
    result["is_official"] = false;
    result["is_automated"] = false;
    results.push_back(std::move(result));
  }
  json::Value body = json::Value::object();
  body["query"] = query;
  body["num_results"] = names.size();
  body["results"] = std::move(results);
  return exchange.response.SendText("application/json", json::Dump(body));
}

}  // namespace strata::registry
