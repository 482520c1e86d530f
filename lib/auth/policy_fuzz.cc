// Policy::Parse() over any bytes, and decisions by whatever it accepts.
#include <cstdint>

#include "lib/auth/policy.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace strata::auth;
  const auto policy = Policy::Parse(absl::string_view(reinterpret_cast<const char*>(data), size));
  if (!policy.ok()) return 0;
  const Caller caller{Principal::User("alice"), std::nullopt};
  const bool may = Decide(*policy, caller, {.action = Action::kPush, .repository = "team/app", .changed_tag = "v1"}).allowed();
  // A changed tag never allows what a new one would not.
  if (may && !Decide(*policy, caller, {.action = Action::kPush, .repository = "team/app"}).allowed()) __builtin_trap();
  // Nobody in particular is never allowed more than somebody.
  const bool anybody = Decide(*policy, {}, {.action = Action::kPull, .repository = "team/app"}).allowed();
  if (anybody && !Decide(*policy, caller, {.action = Action::kPull, .repository = "team/app"}).allowed()) __builtin_trap();
  return 0;
}
