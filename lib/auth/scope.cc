#include "lib/auth/scope.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "lib/base/status.h"

namespace strata::auth {
namespace {

absl::Status Malformed(absl::string_view text) {
  return absl::InvalidArgumentError(absl::StrCat("malformed scope \"", absl::CHexEscape(text.substr(0, 100)),
                                                 "\"; a scope is TYPE:NAME:ACTION,..., such as repository:team/app:pull"));
}

bool IsWord(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isalnum(c) || c == '-' || c == '_'; });
}

bool IsName(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(c) || absl::string_view("-_./:[]*").find(c) != absl::string_view::npos;
  });
}

}  // namespace

bool Scope::Has(absl::string_view action) const {
  return std::any_of(actions.begin(), actions.end(), [action](const std::string& mine) { return mine == action || mine == "*"; });
}

std::string Scope::ToString() const {
  return absl::StrCat(type, resource_class.empty() ? "" : absl::StrCat("(", resource_class, ")"), ":", name, ":", absl::StrJoin(actions, ","));
}

absl::StatusOr<Scope> ParseScope(absl::string_view text) {
  const size_t first = text.find(':');
  const size_t last = text.rfind(':');
  if (text.size() > kMaxScopeBytes || first == absl::string_view::npos || first == last) return Malformed(text);
  absl::string_view type = text.substr(0, first);
  Scope scope;
  if (const size_t open = type.find('('); open != absl::string_view::npos) {
    if (type.back() != ')') return Malformed(text);
    scope.resource_class = std::string(type.substr(open + 1, type.size() - open - 2));
    if (!IsWord(scope.resource_class)) return Malformed(text);
    type = type.substr(0, open);
  }
  scope.type = std::string(type);
  scope.name = std::string(text.substr(first + 1, last - first - 1));
  if (!IsWord(scope.type) || !IsName(scope.name)) return Malformed(text);
  for (const absl::string_view action : absl::StrSplit(text.substr(last + 1), ',', absl::SkipEmpty())) {
    if (action != "*" && !IsWord(action)) return Malformed(text);
    const std::string owned(action);
    if (std::find(scope.actions.begin(), scope.actions.end(), owned) == scope.actions.end()) scope.actions.push_back(owned);
  }
  return scope;
}

absl::StatusOr<std::vector<Scope>> ParseScopes(absl::string_view text) {
  std::vector<Scope> scopes;
  for (const absl::string_view piece : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    if (scopes.size() == kMaxScopes) return absl::InvalidArgumentError(absl::StrCat("more than ", kMaxScopes, " scopes"));
    STRATA_ASSIGN_OR_RETURN(Scope scope, ParseScope(piece));
    scopes.push_back(std::move(scope));
  }
  return scopes;
}

}  // namespace strata::auth
