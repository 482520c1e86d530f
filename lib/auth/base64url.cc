#include "lib/auth/base64url.h"

#include "absl/strings/escaping.h"

namespace strata::auth {
namespace {

bool IsAlphabet(absl::string_view text) {
  for (const char c : text) {
    const bool ok = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    if (!ok) return false;
  }
  return true;
}

}  // namespace

std::string Base64UrlEncode(absl::string_view bytes) { return absl::WebSafeBase64Escape(bytes); }

absl::StatusOr<std::string> Base64UrlDecode(absl::string_view text) {
  std::string bytes;
  if (!IsAlphabet(text) || text.size() % 4 == 1 || !absl::WebSafeBase64Unescape(text, &bytes) ||
      Base64UrlEncode(bytes) != text) {
    return absl::InvalidArgumentError("not base64url without padding");
  }
  return bytes;
}

}  // namespace strata::auth
