#include "lib/auth/principal.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace strata::auth {
namespace {

// Certificates hold names of other people's making: URIs with colons among them.
bool IsPrintableName(absl::string_view name) {
  return !name.empty() && name.size() <= kMaxPrincipalNameBytes &&
         std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 127; });
}

}  // namespace

bool IsPlainName(absl::string_view name) {
  return !name.empty() && name.size() <= kMaxPrincipalNameBytes && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(c) || absl::string_view("._@+/-").find(c) != absl::string_view::npos;
  });
}

std::string Principal::ToString() const {
  switch (kind) {
    case Kind::kAnonymous: return "anonymous";
    case Kind::kUser: return absl::StrCat("user:", name);
    case Kind::kIdentity: return absl::StrCat("identity:", name);
    case Kind::kCertificate: return absl::StrCat("certificate:", name);
  }
  return "";
}

absl::StatusOr<Principal> Principal::Parse(absl::string_view text) {
  if (text == "anonymous") return Principal();
  absl::string_view name = text;
  if (absl::ConsumePrefix(&name, "user:") && IsPlainName(name)) return User(name);
  name = text;
  if (absl::ConsumePrefix(&name, "identity:") && IsPlainName(name)) return Identity(name);
  name = text;
  if (absl::ConsumePrefix(&name, "certificate:") && IsPrintableName(name)) return Certificate(name);
  return absl::InvalidArgumentError(absl::StrCat("\"", absl::CHexEscape(text.substr(0, 100)),
                                                 "\" is none of anonymous, user:NAME, identity:NAME and certificate:NAME"));
}

Principal PeerCertificate::ToPrincipal() const {
  const std::string& name = !uris.empty() ? uris.front() : !common_name.empty() || dns_names.empty() ? common_name : dns_names.front();
  return IsPrintableName(name) ? Principal::Certificate(name) : Principal();
}

}  // namespace strata::auth
