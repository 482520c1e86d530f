#include "services/registry/repository/access.h"

namespace strata::registry {

absl::string_view ActionName(Action action) {
  switch (action) {
    case Action::kEnter: return "enter";
    case Action::kPull: return "pull";
    case Action::kPush: return "push";
    case Action::kDelete: return "delete";
    case Action::kListRepositories: return "list repositories";
    case Action::kMountFromAny: return "mount from any repository";
  }
  return "unknown";
}

Authorizer AllowEveryone() {
  return [](absl::string_view, Action, absl::string_view) { return absl::OkStatus(); };
}

}  // namespace strata::registry
