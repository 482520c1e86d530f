// Pages of listings: the parameters n and last, and the Link to the next page. Spec: OCI distribution-spec, "Listing Tags".
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/http/headers.h"
#include "lib/http/url.h"

namespace strata::registry {

struct PageLimits {
  int otherwise;  // when the client sends no n
  int most;       // a larger n is taken as this
};

struct PageRequest {
  std::optional<int> n;  // as clamped; absent when the client sent none
  std::string last;
  int limit = 0;  // n, or what stands for it

  // n=0 asks for nothing: answer an empty list without a Link.
  bool is_empty() const { return limit == 0; }
};

// kInvalidArgument (Subject::kPage): n is not a number without sign.
absl::StatusOr<PageRequest> ParsePage(const http::QueryParameters& query, const PageLimits& limits);

// Adds Link: </path?n=..&last=..>; rel="next". `filter` keeps further parameters of the listing.
void AddNextLink(http::Headers& headers, absl::string_view path, const PageRequest& page, absl::string_view last,
                 const http::QueryParameters& filter = {});

}  // namespace strata::registry
