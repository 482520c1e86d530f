// Files of users and their bcrypt hashes, as `htpasswd -B` writes them: a line a user, "alice:$2y$10$...".
#pragma once

#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace strata::auth {

inline constexpr size_t kMaxHtpasswdBytes = 64 * 1024 * 1024;

using Users = absl::flat_hash_map<std::string, std::string>;  // name to hash

// Empty lines and lines that begin with "#" are passed over. kInvalidArgument: a line of another form, a hash that is not bcrypt,
// a user twice; the message begins with the number of the line and never quotes a hash.
absl::StatusOr<Users> ParseHtpasswd(absl::string_view text);

}  // namespace strata::auth
