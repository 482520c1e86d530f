// bcrypt password hashes, by the system's libcrypt. Slow by design: a check of cost 10 took 42 ms of CPU on a server of 2026.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace strata::auth {

// More bytes than that bcrypt does not read; a longer password is refused rather than cut.
inline constexpr size_t kMaxPasswordBytes = 72;
inline constexpr int kMinBcryptCost = 4;
inline constexpr int kMaxBcryptCost = 16;   // 64 times that
inline constexpr int kBcryptCost = 10;

// "$2y$10$" and 53 more characters; $2a and $2b as well. kInvalidArgument: anything else; the message says which kind it is.
absl::Status CheckBcryptHash(absl::string_view hash);

// kInvalidArgument: empty, too long, or with a NUL byte. kInternal: libcrypt cannot.
absl::StatusOr<std::string> HashPassword(absl::string_view password, int cost = kBcryptCost);

// `hash` passed CheckBcryptHash(). The comparison takes the same time wherever the two differ.
bool PasswordMatches(absl::string_view password, const std::string& hash);

}  // namespace strata::auth
