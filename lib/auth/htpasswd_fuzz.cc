// ParseHtpasswd() over any bytes: no crash, no hang, and what it accepts holds.
#include <cstdint>

#include "lib/auth/htpasswd.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto parsed = strata::auth::ParseHtpasswd(absl::string_view(reinterpret_cast<const char*>(data), size));
  if (!parsed.ok()) return 0;
  for (const auto& [user, hash] : *parsed) {
    if (user.empty() || hash.size() != 60) __builtin_trap();
  }
  return 0;
}
