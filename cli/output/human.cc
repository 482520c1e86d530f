#include "cli/output/human.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace strata::cli {
namespace {

// One code point at the start of `text`; malformed bytes count as one each.
size_t CodePointBytes(absl::string_view text) {
  const unsigned char lead = static_cast<unsigned char>(text[0]);
  const size_t want = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
  if (want > text.size()) return 1;
  for (size_t i = 1; i < want; ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) return 1;
  }
  return want;
}

uint32_t Decode(absl::string_view point) {
  const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(point[i])); };
  switch (point.size()) {
    case 2:
      return (byte(0) & 0x1F) << 6 | (byte(1) & 0x3F);
    case 3:
      return (byte(0) & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
    case 4:
      return (byte(0) & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F);
    default:
      return byte(0);
  }
}

int PointWidth(uint32_t point) {
  if ((point >= 0x300 && point <= 0x36F) || (point >= 0x200B && point <= 0x200F) || (point >= 0xFE00 && point <= 0xFE0F)) return 0;
  const bool wide = (point >= 0x1100 && point <= 0x115F) || (point >= 0x2E80 && point <= 0xA4CF) ||
                    (point >= 0xAC00 && point <= 0xD7A3) || (point >= 0xF900 && point <= 0xFAFF) ||
                    (point >= 0xFE30 && point <= 0xFE6F) || (point >= 0xFF00 && point <= 0xFF60) ||
                    (point >= 0x1F300 && point <= 0x1FAFF);
  return wide ? 2 : 1;
}

// The length of the escape sequence that `text` starts with, ESC included.
size_t EscapeBytes(absl::string_view text) {
  if (text.size() < 2) return text.size();
  if (text[1] == '[') {
    size_t i = 2;
    while (i < text.size() && (text[i] < 0x40 || text[i] > 0x7E)) ++i;
    return std::min(text.size(), i + 1);
  }
  if (text[1] == ']') {  // an operating system command, up to BEL or ESC backslash
    for (size_t i = 2; i < text.size(); ++i) {
      if (text[i] == '\a') return i + 1;
      if (text[i] == '\x1b') return std::min(text.size(), i + 2);
    }
    return text.size();
  }
  return 2;
}

std::string Ago(int64_t count, absl::string_view unit) {
  return absl::StrCat(count, " ", unit, count == 1 ? "" : "s", " ago");
}

}  // namespace

std::string HumanSize(int64_t bytes) {
  static constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB", "PB"};
  if (bytes < 1000) return absl::StrCat(std::max<int64_t>(bytes, 0), "B");
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 999.5 && unit + 1 < std::size(kUnits)) {
    value /= 1000;
    ++unit;
  }
  return absl::StrCat(absl::StrFormat("%.3g", value), kUnits[unit]);
}

std::string HumanDuration(absl::Duration duration) {
  const double seconds = std::max(0.0, absl::ToDoubleSeconds(duration));
  if (seconds < 99.95) return absl::StrFormat("%.1fs", seconds);
  const int64_t whole = static_cast<int64_t>(seconds);
  if (whole < 3600) return absl::StrFormat("%dm%02ds", whole / 60, whole % 60);
  return absl::StrFormat("%dh%02dm", whole / 3600, whole / 60 % 60);
}

std::string HumanAge(absl::Time when, absl::Time now) {
  if (when <= absl::UnixEpoch() || when == absl::InfiniteFuture()) return "N/A";
  const int64_t seconds = std::max<int64_t>(0, absl::ToInt64Seconds(now - when));
  if (seconds < 60) return Ago(seconds, "second");
  if (seconds < 3600) return Ago(seconds / 60, "minute");
  if (seconds < 48 * 3600) return Ago(seconds / 3600, "hour");
  const int64_t days = seconds / 86400;
  if (days < 14) return Ago(days, "day");
  if (days < 60) return Ago(days / 7, "week");
  if (days < 730) return Ago(days / 30, "month");
  return Ago(days / 365, "year");
}

std::string ShortDigest(absl::string_view digest) {
  const size_t colon = digest.find(':');
  if (colon == absl::string_view::npos) return std::string(digest);
  return std::string(digest.substr(colon + 1, 12));
}

std::string CleanLine(absl::string_view line, bool keep_colours) {
  while (absl::EndsWith(line, "\r") || absl::EndsWith(line, "\n")) line.remove_suffix(1);
  const size_t carriage = line.rfind('\r');
  if (carriage != absl::string_view::npos) line.remove_prefix(carriage + 1);
  std::string clean;
  while (!line.empty()) {
    if (line[0] == '\x1b') {
      const size_t size = EscapeBytes(line);
      if (keep_colours && size > 2 && line[1] == '[' && line[size - 1] == 'm') clean.append(line.data(), size);
      line.remove_prefix(size);
      continue;
    }
    const size_t size = CodePointBytes(line);
    const uint32_t point = Decode(line.substr(0, size));
    if (point == '\t') {
      clean.append("    ");
    } else if (point >= 0x20 && point != 0x7F && !(size == 2 && point < 0xA0) && !(size == 1 && point >= 0x80)) {
      clean.append(line.data(), size);
    } else if (size == 1 && point >= 0x80) {
      clean.push_back('?');
    }
    line.remove_prefix(size);
  }
  return clean;
}

int DisplayWidth(absl::string_view text) {
  int width = 0;
  while (!text.empty()) {
    const size_t size = CodePointBytes(text);
    width += PointWidth(Decode(text.substr(0, size)));
    text.remove_prefix(size);
  }
  return width;
}

std::string FitWidth(absl::string_view text, int columns, bool utf8) {
  if (columns <= 0) return "";
  if (DisplayWidth(text) <= columns) return std::string(text);
  const int mark = utf8 ? 1 : 3;
  const bool room_for_mark = columns > mark;
  const int budget = room_for_mark ? columns - mark : columns;
  size_t end = 0;
  int width = 0;
  while (end < text.size()) {
    const size_t size = CodePointBytes(text.substr(end));
    const int point_width = PointWidth(Decode(text.substr(end, size)));
    if (width + point_width > budget) break;
    width += point_width;
    end += size;
  }
  return absl::StrCat(text.substr(0, end), room_for_mark ? (utf8 ? "\u2026" : "...") : "");
}

}  // namespace strata::cli
