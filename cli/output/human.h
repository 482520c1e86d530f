// Sizes, ages and durations as people read them. Pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace strata::cli {

// Decimal units, three significant digits: "0B", "999B", "3.14MB", "1.07GB".
std::string HumanSize(int64_t bytes);
// "0.1s", "12.3s", "2m05s", "1h02m".
std::string HumanDuration(absl::Duration duration);
// "5 seconds ago", "3 weeks ago"; "N/A" for a time that is not known.
std::string HumanAge(absl::Time when, absl::Time now);
// The first 12 digits of a digest; any other text as it is.
std::string ShortDigest(absl::string_view digest);

// Text from a build made safe for a screen: control characters go, tabs become spaces; escape sequences go too, but colours
// ("ESC[…m") stay when `keep_colours`. What a lone carriage return overwrites is dropped.
std::string CleanLine(absl::string_view line, bool keep_colours);
// How many columns UTF-8 `text` without escape sequences takes.
int DisplayWidth(absl::string_view text);
// `text` cut to `columns`, ending in "…" (or "..." when not `utf8`) if anything was cut.
std::string FitWidth(absl::string_view text, int columns, bool utf8);

}  // namespace strata::cli
