// The records of pax extended headers: "<length> <keyword>=<value>\n".
// Spec: POSIX.1-2017 pax, "pax Extended Header".
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace strata::tar {

inline constexpr absl::string_view kXattrPrefix = "SCHILY.xattr.";

using PaxRecords = std::map<std::string, std::string>;

// Adds the records of `data` to `records`; a later record wins, an empty value is kept (it means "as if not given").
// kInvalidArgument: not well formed.
absl::Status ParsePaxRecords(absl::string_view data, PaxRecords& records);

// The text of `records` in the order of their keywords. Keywords must not contain '='.
std::string FormatPaxRecords(const PaxRecords& records);

// "[-]seconds[.fraction]", to nanoseconds, the rest cut off. nullopt: not such a number, or beyond what a file time can be.
std::optional<absl::Time> ParsePaxTime(absl::string_view text);
// The shortest text of `time`, the inverse of ParsePaxTime().
std::string FormatPaxTime(absl::Time time);

}  // namespace strata::tar
