// JSON Web Key Sets: the public keys of an issuer. Spec: RFC 7517.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/auth/key.h"

namespace strata::auth {

inline constexpr size_t kMaxJwksBytes = 256 * 1024;
inline constexpr size_t kMaxJwksKeys = 64;

// Keys of kinds that we do not verify with, keys for encryption and RSA keys under 2048 bits are passed over, as issuers publish
// what other readers need too. kInvalidArgument: no JWKS, too large, an id twice, a private key in it, or no usable key.
absl::StatusOr<KeySet> ParseJwks(absl::string_view text);
std::string FormatJwks(const KeySet& keys);

}  // namespace strata::auth
