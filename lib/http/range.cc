#include "lib/http/range.h"

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "lib/base/status.h"
#include "lib/http/headers.h"

namespace strata::http {
namespace {

absl::Status BadRange(absl::string_view value, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("range \"", absl::CHexEscape(value.substr(0, 80)), "\": ", why));
}

// One member of a Range header; `satisfiable` is nullopt when it lies outside of the content.
absl::Status ParseMember(absl::string_view member, uint64_t size_bytes, std::optional<ByteRange>& satisfiable) {
  const size_t dash = member.find('-');
  if (dash == absl::string_view::npos) return BadRange(member, "no \"-\"");
  const absl::string_view first_text = member.substr(0, dash);
  const absl::string_view last_text = member.substr(dash + 1);
  const std::optional<uint64_t> first = ParseDecimal(first_text);
  const std::optional<uint64_t> last = ParseDecimal(last_text);
  if ((!first && !first_text.empty()) || (!last && !last_text.empty()) || (!first && !last)) {
    return BadRange(member, "not \"first-last\", \"first-\" or \"-length\"");
  }
  satisfiable.reset();
  if (!first) {
    const uint64_t length = std::min(*last, size_bytes);
    if (length > 0) satisfiable = ByteRange{size_bytes - length, size_bytes - 1};
  } else if (*first < size_bytes && (!last || *last >= *first)) {
    satisfiable = ByteRange{*first, last ? std::min(*last, size_bytes - 1) : size_bytes - 1};
  }
  return absl::OkStatus();
}

absl::StatusOr<ByteRange> ParseBounds(absl::string_view text, absl::string_view whole) {
  const size_t dash = text.find('-');
  if (dash == absl::string_view::npos) return BadRange(whole, "not \"first-last\"");
  const std::optional<uint64_t> first = ParseDecimal(text.substr(0, dash));
  const std::optional<uint64_t> last = ParseDecimal(text.substr(dash + 1));
  if (!first || !last || *last < *first) return BadRange(whole, "not \"first-last\" with first <= last");
  return ByteRange{*first, *last};
}

}  // namespace

absl::StatusOr<std::vector<ByteRange>> ParseRange(absl::string_view value, uint64_t size_bytes) {
  absl::string_view rest = absl::StripAsciiWhitespace(value);
  if (!absl::StartsWithIgnoreCase(rest, "bytes=")) return BadRange(value, "the unit is not bytes");
  rest.remove_prefix(6);
  std::vector<ByteRange> ranges;
  size_t members = 0;
  for (absl::string_view member : absl::StrSplit(rest, ',')) {
    member = absl::StripAsciiWhitespace(member);
    if (member.empty()) continue;
    if (++members > kMaxRanges) return BadRange(value, absl::StrCat("more than ", kMaxRanges, " ranges"));
    std::optional<ByteRange> range;
    STRATA_RETURN_IF_ERROR(ParseMember(member, size_bytes, range));
    if (range) ranges.push_back(*range);
  }
  if (members == 0) return BadRange(value, "no range given");
  if (ranges.empty()) {
    return absl::OutOfRangeError(absl::StrCat("range \"", absl::CHexEscape(value.substr(0, 80)),
                                              "\" lies outside of the content of ", size_bytes, " bytes"));
  }
  return ranges;
}

absl::StatusOr<ByteRange> ParseUploadContentRange(absl::string_view value) {
  absl::string_view rest = absl::StripAsciiWhitespace(value);
  if (!absl::ConsumePrefix(&rest, "bytes ")) return ParseBounds(rest, value);
  const size_t slash = rest.find('/');
  if (slash == absl::string_view::npos) return BadRange(value, "no \"/\"");
  const absl::string_view total = rest.substr(slash + 1);
  if (total != "*" && !ParseDecimal(total)) return BadRange(value, "bad total");
  return ParseBounds(rest.substr(0, slash), value);
}

absl::StatusOr<ContentRange> ParseContentRange(absl::string_view value) {
  absl::string_view rest = absl::StripAsciiWhitespace(value);
  if (!absl::ConsumePrefix(&rest, "bytes ")) return BadRange(value, "the unit is not bytes");
  const size_t slash = rest.find('/');
  if (slash == absl::string_view::npos) return BadRange(value, "no \"/\"");
  const std::optional<uint64_t> total = ParseDecimal(rest.substr(slash + 1));
  if (!total) return BadRange(value, "no total size");
  STRATA_ASSIGN_OR_RETURN(const ByteRange range, ParseBounds(rest.substr(0, slash), value));
  if (range.last >= *total) return BadRange(value, "it ends past its own total");
  return ContentRange{range, *total};
}

std::string FormatContentRange(const ByteRange& range, uint64_t total_bytes) {
  return absl::StrCat("bytes ", range.first, "-", range.last, "/", total_bytes);
}

}  // namespace strata::http
