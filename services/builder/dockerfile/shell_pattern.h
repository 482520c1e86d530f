// The patterns of ${v#p}, ${v%p} and ${v/p/r}: `*` any characters ('/' too), `?` any one character, `\c` the character c.
//
// Works on bytes. Each call takes time in proportion to pattern length times text length, except Replace, whose work is
// bounded by kMaxSteps. Pure functions; thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace strata::dockerfile {

constexpr uint64_t kMaxSteps = 100'000'000;

// The length of the shortest or longest prefix (suffix) of `text` that the pattern matches as a whole; nullopt: none does.
std::optional<size_t> MatchPrefix(absl::string_view pattern, absl::string_view text, bool longest);
std::optional<size_t> MatchSuffix(absl::string_view pattern, absl::string_view text, bool longest);

// The text with the first match (or each, from left to right, each as long as possible) replaced; matches of nothing do not
// count. kInvalidArgument: more work than kMaxSteps, or a result over `max_bytes`.
absl::StatusOr<std::string> Replace(absl::string_view pattern, absl::string_view text, absl::string_view replacement,
                                    bool all, size_t max_bytes);

}  // namespace strata::dockerfile
