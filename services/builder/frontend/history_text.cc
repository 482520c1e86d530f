#include "services/builder/frontend/history_text.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"

namespace strata::frontend {

namespace {

void AppendQuoted(absl::string_view word, std::string& out) {
  static constexpr absl::string_view kLetters = "abtnvfr";  // of the control characters from 7 on
  out.push_back('"');
  for (const char c : word) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      absl::StrAppend(&out, "\\", absl::string_view(&c, 1));
    } else if (byte >= 7 && byte < 7 + kLetters.size()) {
      absl::StrAppend(&out, "\\", kLetters.substr(byte - 7, 1));
    } else if (byte < 0x20 || byte == 0x7f) {
      absl::StrAppend(&out, "\\x", absl::Hex(byte, absl::kZeroPad2));
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

// "1h0m0s", "1m30s", "500ms", "0s": a duration from the hour down always shows its smaller units.
std::string DurationText(int64_t nanoseconds) {
  const absl::Duration duration = absl::Nanoseconds(nanoseconds);
  if (duration == absl::ZeroDuration()) return "0s";
  if (duration < absl::Minutes(1)) return absl::FormatDuration(duration);
  const int64_t minutes = absl::ToInt64Minutes(duration);
  const absl::Duration rest = duration - absl::Minutes(minutes);
  const std::string seconds = rest == absl::ZeroDuration() ? "0s" : absl::StrCat(absl::ToDoubleSeconds(rest), "s");
  return absl::StrCat(minutes >= 60 ? absl::StrCat(minutes / 60, "h") : "", minutes % 60, "m", seconds);
}

}  // namespace

std::string QuotedList(absl::Span<const std::string> words) {
  std::string text = "[";
  for (const std::string& word : words) {
    if (text.size() > 1) text.push_back(' ');
    AppendQuoted(word, text);
  }
  return text + "]";
}

std::string PlainList(absl::Span<const std::string> words) { return absl::StrCat("[", absl::StrJoin(words, " "), "]"); }

std::string HealthcheckText(const oci::Healthcheck& check) {
  return absl::StrCat("{Test:", PlainList(check.test), " Interval:", DurationText(check.interval_ns), " Timeout:",
                      DurationText(check.timeout_ns), " StartPeriod:", DurationText(check.start_period_ns), " StartInterval:",
                      DurationText(check.start_interval_ns), " Retries:", check.retries, "}");
}

}  // namespace strata::frontend
