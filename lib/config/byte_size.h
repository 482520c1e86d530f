// A number of bytes as people write it: "10GiB", "512k", "4096".
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace strata::config {

struct ByteSize {
  int64_t bytes = 0;
  auto operator<=>(const ByteSize&) const = default;
};

// Digits, optionally with a fraction, then nothing or "B", or one of k, M, G, T with or without "iB" (powers of 1024 all the
// same), or with "B" (powers of 1000). Case does not matter; a space may stand before the unit.
// kInvalidArgument: anything else, or more than 2^63-1.
absl::StatusOr<ByteSize> ParseByteSize(absl::string_view text);

// The shortest exact form: "10GiB", "4096B".
std::string FormatByteSize(ByteSize size);

}  // namespace strata::config
