#include "lib/tar/pax_records.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace strata::tar {
namespace {

// 292 years around 1970 fit 64 bits of nanoseconds; far less than this is already nonsense, far more would overflow.
constexpr int64_t kMaxSeconds = int64_t{1} << 40;

bool AllDigits(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

absl::Status ParsePaxRecords(absl::string_view data, PaxRecords& records) {
  while (!data.empty()) {
    const size_t space = data.find(' ');
    uint64_t length = 0;
    if (space == absl::string_view::npos || space == 0 || space > 8 || !AllDigits(data.substr(0, space)) ||
        !absl::SimpleAtoi(data.substr(0, space), &length) || length > data.size() || length < space + 2 ||
        data[length - 1] != '\n') {
      return absl::InvalidArgumentError("a pax header record has a wrong length");
    }
    const absl::string_view record = data.substr(space + 1, length - space - 2);
    const size_t equals = record.find('=');
    if (equals == absl::string_view::npos || equals == 0) {
      return absl::InvalidArgumentError("a pax header record has no keyword");
    }
    records[std::string(record.substr(0, equals))] = std::string(record.substr(equals + 1));
    data.remove_prefix(length);
  }
  return absl::OkStatus();
}

std::string FormatPaxRecords(const PaxRecords& records) {
  std::string out;
  for (const auto& [keyword, value] : records) {
    // The length counts its own digits.
    const size_t rest = keyword.size() + value.size() + 3;
    size_t length = rest + 1;
    while (length != rest + absl::StrCat(length).size()) length = rest + absl::StrCat(length).size();
    absl::StrAppend(&out, length, " ", keyword, "=", value, "\n");
  }
  return out;
}

std::optional<absl::Time> ParsePaxTime(absl::string_view text) {
  const bool negative = absl::StartsWith(text, "-");
  if (negative) text.remove_prefix(1);
  const size_t dot = text.find('.');
  const absl::string_view whole = text.substr(0, dot);
  std::string fraction(dot == absl::string_view::npos ? absl::string_view() : text.substr(dot + 1));
  int64_t seconds = 0;
  if (whole.empty() || !AllDigits(whole) || !AllDigits(fraction) || !absl::SimpleAtoi(whole, &seconds) || seconds > kMaxSeconds) {
    return std::nullopt;
  }
  fraction.resize(9, '0');
  int64_t nanos = 0;
  if (!absl::SimpleAtoi(fraction, &nanos)) return std::nullopt;
  const absl::Duration since = absl::Seconds(seconds) + absl::Nanoseconds(nanos);
  return absl::UnixEpoch() + (negative ? -since : since);
}

std::string FormatPaxTime(absl::Time time) {
  absl::Duration since = time - absl::UnixEpoch();
  const bool negative = since < absl::ZeroDuration();
  if (negative) since = -since;
  absl::Duration rest;
  const int64_t seconds = absl::IDivDuration(since, absl::Seconds(1), &rest);
  std::string out = absl::StrCat(negative ? "-" : "", seconds);
  const int64_t nanos = absl::ToInt64Nanoseconds(rest);
  if (nanos == 0) return out;
  std::string fraction = absl::StrFormat("%09d", nanos);
  fraction.erase(fraction.find_last_not_of('0') + 1);
  return absl::StrCat(out, ".", fraction);
}

}  // namespace strata::tar
