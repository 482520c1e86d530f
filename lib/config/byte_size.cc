#include "lib/config/byte_size.h"

#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace strata::config {

namespace {

constexpr absl::string_view kUnits = "kmgt";

absl::Status Bad(absl::string_view text) {
  return absl::InvalidArgumentError(absl::StrCat("\"", text.substr(0, 80), "\" is not a size; write 10GiB, 512MiB or a number of bytes"));
}

// 0: no such unit.
double UnitBytes(std::string unit) {
  absl::AsciiStrToLower(&unit);
  if (unit.empty() || unit == "b") return 1;
  const size_t power = kUnits.find(unit[0]);
  if (power == absl::string_view::npos) return 0;
  const absl::string_view rest = absl::string_view(unit).substr(1);
  if (rest.empty() || rest == "ib") return std::pow(1024, power + 1);
  return rest == "b" ? std::pow(1000, power + 1) : 0;
}

}  // namespace

absl::StatusOr<ByteSize> ParseByteSize(absl::string_view text) {
  const absl::string_view stripped = absl::StripAsciiWhitespace(text);
  size_t digits = 0;
  while (digits < stripped.size() && (absl::ascii_isdigit(stripped[digits]) || stripped[digits] == '.')) ++digits;
  const double unit = UnitBytes(std::string(absl::StripLeadingAsciiWhitespace(stripped.substr(digits))));
  const absl::string_view number = stripped.substr(0, digits);
  int64_t whole = 0;
  if (unit == 1 && absl::SimpleAtoi(number, &whole)) return ByteSize{whole};
  double value = 0;
  if (unit == 0 || number.empty() || !absl::SimpleAtod(number, &value)) return Bad(text);
  const double bytes = value * unit;
  if (!(bytes < 9.2e18) || bytes != std::floor(bytes)) return Bad(text);
  return ByteSize{static_cast<int64_t>(bytes)};
}

std::string FormatByteSize(ByteSize size) {
  int64_t count = size.bytes;
  size_t power = 0;
  while (count != 0 && count % 1024 == 0 && power < kUnits.size()) {
    count /= 1024;
    ++power;
  }
  static constexpr absl::string_view kNames[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  return absl::StrCat(count, kNames[power]);
}

}  // namespace strata::config
