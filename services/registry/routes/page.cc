#include "services/registry/routes/page.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/registry/routes/errors.h"

namespace strata::registry {
namespace {

bool IsNumber(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isdigit(c); });
}

}  // namespace

absl::StatusOr<PageRequest> ParsePage(const http::QueryParameters& query, const PageLimits& limits) {
  PageRequest page;
  page.last = std::string(query.Get("last"));
  page.limit = limits.otherwise;
  const auto text = query.Find("n");
  if (!text) return page;
  if (!IsNumber(*text)) {
    return About(Subject::kPage, absl::InvalidArgumentError(absl::StrCat(
                                     "n=\"", absl::CHexEscape(text->substr(0, 40)),
                                     "\" is not a number of entries; send a whole number from 0 on")));
  }
  // A number that does not fit is larger than any limit.
  const uint64_t n = http::ParseDecimal(*text).value_or(limits.most);
  page.limit = static_cast<int>(std::min<uint64_t>(n, limits.most));
  page.n = page.limit;
  return page;
}

void AddNextLink(http::Headers& headers, absl::string_view path, const PageRequest& page, absl::string_view last,
                 const http::QueryParameters& filter) {
  http::QueryParameters query = filter;
  if (page.n) query.Add("n", absl::StrCat(*page.n));
  query.Add("last", last);
  headers.Add("Link", absl::StrCat("<", path, "?", query.ToString(), ">; rel=\"next\""));
}

}  // namespace strata::registry
