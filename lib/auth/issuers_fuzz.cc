// ParseTrustedIssuers() over any bytes: no crash, no hang, and what it accepts holds.
#include <cstdint>

#include "lib/auth/issuers.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto parsed = strata::auth::ParseTrustedIssuers(absl::string_view(reinterpret_cast<const char*>(data), size));
  if (!parsed.ok()) return 0;
  for (const auto& issuer : *parsed) {
    if (issuer.identities.empty() || issuer.Identify({}).ok()) __builtin_trap();
  }
  return 0;
}
