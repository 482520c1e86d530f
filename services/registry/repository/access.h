// Who may do what: the one question that every route asks before it acts.
//
// Value types; an Authorizer is called from many threads at once.
#pragma once

#include <functional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace strata::registry {

enum class Action {
  kEnter,             // GET /v2/: is this caller known at all; no repository
  kPull,              // read blobs, manifests, tags, referrers
  kPush,              // upload blobs, put manifests, move tags
  kDelete,            // remove blobs, manifests, tags
  kListRepositories,  // the catalog and search; no repository
  kMountFromAny,      // read a blob from whatever repository holds it; no repository
};

// "pull", as messages say it.
absl::string_view ActionName(Action action);

// OK: go on. kUnauthenticated: unknown caller (401, with a challenge). kPermissionDenied: known, but may not (403).
// `principal` is empty for an anonymous caller; `repository` is empty where the action has none.
using Authorizer =
    std::function<absl::Status(absl::string_view principal, Action action, absl::string_view repository)>;

// The open registry: everybody may do everything.
Authorizer AllowEveryone();

}  // namespace strata::registry
