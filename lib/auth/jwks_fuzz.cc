// ParseJwks() over any bytes: no crash, no hang, and what it accepts holds.
#include <cstdint>

#include "lib/auth/jwks.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto parsed = strata::auth::ParseJwks(absl::string_view(reinterpret_cast<const char*>(data), size));
  // What was read can be written and read again.
  if (parsed.ok() && !strata::auth::ParseJwks(strata::auth::FormatJwks(*parsed)).ok()) __builtin_trap();
  return 0;
}
