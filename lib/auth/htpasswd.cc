#include "lib/auth/htpasswd.h"

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/auth/bcrypt.h"
#include "lib/auth/principal.h"
#include "lib/base/status.h"

namespace strata::auth {
namespace {

absl::Status ReadLine(absl::string_view line, Users& users) {
  const size_t colon = line.find(':');
  if (colon == absl::string_view::npos) return absl::InvalidArgumentError("not of the form USER:HASH");
  const absl::string_view user = line.substr(0, colon);
  if (!IsPlainName(user)) {
    return absl::InvalidArgumentError(absl::StrCat("user \"", absl::CHexEscape(user.substr(0, 80)),
                                                   "\": names have letters, digits and . _ @ + / - only"));
  }
  STRATA_RETURN_IF_ERROR(Annotate(CheckBcryptHash(line.substr(colon + 1)), absl::StrCat("user \"", user, "\"")));
  const bool is_new = users.emplace(std::string(user), std::string(line.substr(colon + 1))).second;
  return is_new ? absl::OkStatus() : absl::InvalidArgumentError(absl::StrCat("user \"", user, "\" is there a second time"));
}

}  // namespace

absl::StatusOr<Users> ParseHtpasswd(absl::string_view text) {
  if (text.size() > kMaxHtpasswdBytes) return absl::InvalidArgumentError("the file is too large");
  Users users;
  int number = 0;
  for (const absl::string_view raw : absl::StrSplit(text, '\n')) {
    ++number;
    const absl::string_view line = absl::StripAsciiWhitespace(raw);
    if (line.empty() || line.front() == '#') continue;
    STRATA_RETURN_IF_ERROR(Annotate(ReadLine(line, users), absl::StrCat("line ", number)));
  }
  return users;
}

}  // namespace strata::auth
