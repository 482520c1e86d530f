// One line an event on standard error: a short constant message and fields with names.
//
//   log::Info("upload committed", {{"repository", repository}, {"digest", digest.ToString()}, {"bytes", size}});
//
//   logfmt  time=2026-11-24T12:00:00.123Z level=info msg="upload committed" repository=app digest=sha256:9c... bytes=1024
//   JSON    {"time":"2026-11-24T12:00:00.123Z","level":"info","msg":"upload committed","repository":"app",...}
//
// Thread-safe. A line is one write(2), so lines of several threads never mix. Do not log while holding a lock.
// Control bytes and quotes of values are escaped: no value can forge a line. Values over 4 KiB are cut.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace strata::log {

enum class Level { kDebug, kInfo, kWarning, kError };
enum class Format { kText, kJson };

// "debug", "info", "warning", "error"; "text", "json". kInvalidArgument: any other name, the message lists them.
absl::StatusOr<Level> ParseLevel(absl::string_view name);
absl::StatusOr<Format> ParseFormat(absl::string_view name);

// Set once in main, before threads start. Default: kInfo, kText.
void Configure(Level at_least, Format format);

class Field {
 public:
  Field(absl::string_view name, absl::string_view value) : name_(name), text_(value) {}
  Field(absl::string_view name, const std::string& value) : name_(name), text_(value) {}
  Field(absl::string_view name, const char* value) : name_(name), text_(value) {}
  Field(absl::string_view name, bool value) : name_(name), text_(value ? "true" : "false"), is_bare_(true) {}
  Field(absl::string_view name, absl::Duration value);
  Field(absl::string_view name, const absl::Status& value);
  template <typename T>
    requires std::is_arithmetic_v<T>
  Field(absl::string_view name, T value) : name_(name), text_(std::to_string(value)), is_bare_(true) {}

  absl::string_view name() const { return name_; }
  absl::string_view text() const { return text_; }
  bool is_bare() const { return is_bare_; }  // a number or a bool: JSON shows it without quotes

 private:
  absl::string_view name_;
  std::string text_;
  bool is_bare_ = false;
};

using Fields = std::initializer_list<Field>;

void Debug(absl::string_view message, Fields fields = {});
void Info(absl::string_view message, Fields fields = {});
void Warning(absl::string_view message, Fields fields = {});
void Error(absl::string_view message, Fields fields = {});

// The line without its newline; what the functions above write.
std::string Render(Format format, absl::Time time, Level level, absl::string_view message, Fields fields);

}  // namespace strata::log
