#include "services/registry/routes/conditional.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace strata::registry {

std::string EntityTag(absl::string_view digest) { return absl::StrCat("\"", digest, "\""); }

bool NoneMatchNames(const http::Headers& headers, absl::string_view digest) {
  for (absl::string_view tag : headers.ListMembers("If-None-Match")) {
    if (tag == "*") return true;
    absl::ConsumePrefix(&tag, "W/");
    if (absl::ConsumePrefix(&tag, "\"")) absl::ConsumeSuffix(&tag, "\"");
    if (tag == digest) return true;
  }
  return false;
}

bool RangeApplies(const http::Headers& headers, absl::string_view digest) {
  const auto condition = headers.Find("If-Range");
  return !condition || *condition == EntityTag(digest);
}

}  // namespace strata::registry
