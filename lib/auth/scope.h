// Scopes: what a client asks a token for, and what a token grants. Spec: distribution, "Token Scope Documentation".
//
//   repository:team/app:pull,push     repository(plugin):team/app:pull     registry:catalog:*     repository:host:5000/app:pull
//
// Value types; thread-compatible.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace strata::auth {

inline constexpr size_t kMaxScopes = 64;
inline constexpr size_t kMaxScopeBytes = 1024;

struct Scope {
  std::string type;      // "repository", "registry"
  std::string resource_class;  // "plugin" of "repository(plugin)"; mostly empty
  std::string name;      // may hold a ":" (a port)
  std::vector<std::string> actions;  // "pull", "push", "delete", "*"

  bool Has(absl::string_view action) const;
  std::string ToString() const;
  bool operator==(const Scope&) const = default;
};

// kInvalidArgument: not of this form, or longer than kMaxScopeBytes. No actions at all are fine: "repository:app:".
absl::StatusOr<Scope> ParseScope(absl::string_view text);
// Several, separated by spaces, as in the parameter scope. kInvalidArgument also for more than kMaxScopes.
absl::StatusOr<std::vector<Scope>> ParseScopes(absl::string_view text);

}  // namespace strata::auth
