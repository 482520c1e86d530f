// What --version says.
#pragma once

namespace strata::service {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace strata::service
