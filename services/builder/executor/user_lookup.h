// Who a step runs as: "name", "uid", "name:group" or "uid:gid", looked up in the /etc/passwd and /etc/group of the image.
// Spec: Dockerfile reference, USER.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/builder/executor/root_dir.h"

namespace strata::executor {

struct ResolvedUser {
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::vector<uint32_t> additional_gids;  // groups that list the user; only when no group was asked for
  std::string home = "/";
};

// "" is uid 0. A number needs no entry; its group is then 0 unless given.
// kInvalidArgument: a name without entry, or a number above 2147483647; the message names it.
absl::StatusOr<ResolvedUser> ResolveUser(const RootDir& root, absl::string_view user);

// The same over the texts of the two files; pure.
absl::StatusOr<ResolvedUser> ResolveUserIn(absl::string_view passwd, absl::string_view group, absl::string_view user);

}  // namespace strata::executor
