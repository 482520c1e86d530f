// The version that `strata version` prints.
#pragma once

namespace strata::cli {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace strata::cli
