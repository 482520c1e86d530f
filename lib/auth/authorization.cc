#include "lib/auth/authorization.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "lib/base/status.h"

namespace strata::auth {
namespace {

absl::Status Malformed(const char* why) { return absl::InvalidArgumentError(why); }

bool HasControl(absl::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return absl::ascii_iscntrl(static_cast<unsigned char>(c)); });
}

absl::StatusOr<Authorization> ParseBasic(absl::string_view value) {
  std::string decoded;
  if (!absl::Base64Unescape(value, &decoded)) return Malformed("Authorization: Basic is not followed by base64");
  const size_t colon = decoded.find(':');
  if (colon == std::string::npos) return Malformed("Authorization: Basic holds no user and password");
  if (HasControl(decoded)) return Malformed("Authorization: Basic holds control characters");
  return BasicCredentials{decoded.substr(0, colon), decoded.substr(colon + 1)};
}

absl::StatusOr<Authorization> ParseBearer(absl::string_view value) {
  const bool is_token = !value.empty() && std::all_of(value.begin(), value.end(), [](char c) {
    return absl::ascii_isalnum(c) || absl::string_view("-._~+/=").find(c) != absl::string_view::npos;
  });
  if (!is_token) return Malformed("Authorization: Bearer is not followed by a token");
  return BearerToken{std::string(value)};
}

}  // namespace

absl::StatusOr<Authorization> ParseAuthorization(absl::string_view value) {
  if (value.size() > kMaxAuthorizationBytes) return Malformed("the Authorization field is too long");
  const size_t space = value.find(' ');
  if (space == absl::string_view::npos) return Malformed("Authorization: neither Basic nor Bearer");
  const absl::string_view scheme = value.substr(0, space);
  const absl::string_view rest = absl::StripAsciiWhitespace(value.substr(space));
  if (absl::EqualsIgnoreCase(scheme, "basic")) return ParseBasic(rest);
  if (absl::EqualsIgnoreCase(scheme, "bearer")) return ParseBearer(rest);
  return Malformed("Authorization: neither Basic nor Bearer");
}

}  // namespace strata::auth
