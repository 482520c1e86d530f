// ParseScopes() over any bytes: no crash, no hang, and what it accepts holds.
#include <cstdint>

#include "lib/auth/scope.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto parsed = strata::auth::ParseScopes(absl::string_view(reinterpret_cast<const char*>(data), size));
  if (!parsed.ok()) return 0;
  for (const auto& scope : *parsed) {
    const auto again = strata::auth::ParseScope(scope.ToString());
    if (!again.ok() || !(*again == scope)) __builtin_trap();
  }
  return 0;
}
