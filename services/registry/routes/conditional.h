// If-None-Match and If-Range against an entity tag that is a digest. Spec: RFC 9110 section 13.
#pragma once

#include "absl/strings/string_view.h"
#include "lib/http/headers.h"

namespace strata::registry {

// "\"sha256:...\"", a strong tag.
std::string EntityTag(absl::string_view digest);

// Whether If-None-Match names `digest`: in quotes, with W/ before them, bare (as docker sends it), in a list, or "*".
bool NoneMatchNames(const http::Headers& headers, absl::string_view digest);

// Whether a Range may be answered: If-Range is absent or is exactly the entity tag of `digest`.
bool RangeApplies(const http::Headers& headers, absl::string_view digest);

}  // namespace strata::registry
