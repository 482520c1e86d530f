// base64url without padding, read strictly. Spec: RFC 7515 section 2, RFC 4648 section 5.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace strata::auth {

std::string Base64UrlEncode(absl::string_view bytes);
// kInvalidArgument: padding, white space, another alphabet, or bits left over: each byte string has exactly one spelling.
absl::StatusOr<std::string> Base64UrlDecode(absl::string_view text);

}  // namespace strata::auth
