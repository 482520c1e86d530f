// ParseAuthorization() over any bytes: no crash, no hang, and what it accepts holds.
#include <cstdint>

#include "lib/auth/authorization.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto parsed = strata::auth::ParseAuthorization(absl::string_view(reinterpret_cast<const char*>(data), size));
  if (!parsed.ok()) return 0;
  const auto* basic = std::get_if<strata::auth::BasicCredentials>(&*parsed);
  if (basic != nullptr && basic->user.find(':') != std::string::npos) __builtin_trap();
  return 0;
}
