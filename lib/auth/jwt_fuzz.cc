// ParseJwt() over any bytes: no crash, no hang, and what it accepts holds.
#include <cstdint>

#include "lib/auth/jwt.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto parsed = strata::auth::ParseJwt(absl::string_view(reinterpret_cast<const char*>(data), size));
  // Nobody's key: whatever it says, it is not believed.
  if (parsed.ok() && strata::auth::VerifyJwt(*parsed, {}, {.issuer = parsed->issuer, .audience = "a", .now = parsed->expires}).ok()) __builtin_trap();
  return 0;
}
