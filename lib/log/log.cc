#include "lib/log/log.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"

namespace strata::log {

namespace {

constexpr size_t kMaxValueBytes = 4096;

constinit std::atomic<Level> minimum{Level::kInfo};
constinit std::atomic<Format> format_in_use{Format::kText};

absl::string_view LevelName(Level level) {
  switch (level) {
    case Level::kDebug: return "debug";
    case Level::kInfo: return "info";
    case Level::kWarning: return "warning";
    case Level::kError: return "error";
  }
  return "error";
}

// A JSON string is also good logfmt.
void AppendQuoted(absl::string_view text, std::string& out) {
  out.push_back('"');
  for (const char c : text.substr(0, kMaxValueBytes)) {
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (c == '\n') {
      out.append("\\n");
    } else if (c == '\t') {
      out.append("\\t");
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      absl::StrAppendFormat(&out, "\\u%04x", static_cast<unsigned char>(c));
    } else {
      out.push_back(c);
    }
  }
  if (text.size() > kMaxValueBytes) out.append("...");
  out.push_back('"');
}

bool IsPlain(absl::string_view text) {
  if (text.empty() || text.size() > kMaxValueBytes) return false;
  for (const char c : text) {
    if (!absl::ascii_isgraph(static_cast<unsigned char>(c)) || c == '"' || c == '=' || c == '\\') return false;
  }
  return true;
}

void AppendTextValue(absl::string_view text, std::string& out) {
  if (IsPlain(text)) {
    absl::StrAppend(&out, text);
  } else {
    AppendQuoted(text, out);
  }
}

void Emit(Level level, absl::string_view message, Fields fields) {
  if (level < minimum.load(std::memory_order_relaxed)) return;
  std::string line = Render(format_in_use.load(std::memory_order_relaxed), absl::Now(), level, message, fields);
  line.push_back('\n');
  // A log that cannot be written has nowhere to complain to.
  while (::write(STDERR_FILENO, line.data(), line.size()) < 0 && errno == EINTR) {
  }
}

}  // namespace

Field::Field(absl::string_view name, absl::Duration value) : name_(name), text_(absl::FormatDuration(value)) {}
Field::Field(absl::string_view name, const absl::Status& value) : name_(name), text_(value.ToString()) {}

absl::StatusOr<Level> ParseLevel(absl::string_view name) {
  for (const Level level : {Level::kDebug, Level::kInfo, Level::kWarning, Level::kError}) {
    if (name == LevelName(level)) return level;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("\"", name.substr(0, 80), "\" is not a log level; want debug, info, warning or error"));
}

absl::StatusOr<Format> ParseFormat(absl::string_view name) {
  if (name == "text") return Format::kText;
  if (name == "json") return Format::kJson;
  return absl::InvalidArgumentError(absl::StrCat("\"", name.substr(0, 80), "\" is not a log format; want text or json"));
}

void Configure(Level at_least, Format format) {
  minimum = at_least;
  format_in_use = format;
}

std::string Render(Format format, absl::Time time, Level level, absl::string_view message, Fields fields) {
  const std::string stamp = absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone());
  std::string line;
  if (format == Format::kText) {
    absl::StrAppend(&line, "time=", stamp, " level=", LevelName(level), " msg=");
    AppendQuoted(message, line);
    for (const Field& field : fields) {
      absl::StrAppend(&line, " ", field.name(), "=");
      AppendTextValue(field.text(), line);
    }
    return line;
  }
  absl::StrAppend(&line, "{\"time\":\"", stamp, "\",\"level\":\"", LevelName(level), "\",\"msg\":");
  AppendQuoted(message, line);
  for (const Field& field : fields) {
    absl::StrAppend(&line, ",\"", field.name(), "\":");
    if (field.is_bare()) {
      absl::StrAppend(&line, field.text());
    } else {
      AppendQuoted(field.text(), line);
    }
  }
  line.push_back('}');
  return line;
}

void Debug(absl::string_view message, Fields fields) { Emit(Level::kDebug, message, fields); }
void Info(absl::string_view message, Fields fields) { Emit(Level::kInfo, message, fields); }
void Warning(absl::string_view message, Fields fields) { Emit(Level::kWarning, message, fields); }
void Error(absl::string_view message, Fields fields) { Emit(Level::kError, message, fields); }

}  // namespace strata::log
