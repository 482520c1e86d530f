// Cuts a Dockerfile into logical lines: continuations joined, comments and blank lines dropped, here-document bodies on request.
//
// The pieces of a continued line are joined with nothing between; comment lines and blank lines inside it are dropped.
// Not thread-safe; `text` must outlive the reader.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/builder/dockerfile/instruction.h"
#include "services/builder/dockerfile/source_range.h"

namespace strata::dockerfile {

struct LogicalLine {
  std::string text;            // no blanks at either end
  SourceRange range;
  std::string comment;         // the comment block before it; a bare '#' line starts a new one
  std::vector<int> empty_lines;  // blank lines inside a continuation
};

// A here-document that a line announces; its body follows the line.
struct HeredocMarker {
  std::string name;
  bool expand = true;
  bool strip_tabs = false;
};

class LineReader {
 public:
  LineReader(absl::string_view text, absl::string_view file_name, char escape);

  // The next logical line, nullopt at the end. kInvalidArgument with position: a line over kMaxLineBytes.
  absl::StatusOr<std::optional<LogicalLine>> Next();

  // The physical line that stands here, whatever its length and its end: how an ONBUILD trigger, joined already, is read back.
  LogicalLine TakeVerbatim();

  // The body that stands here. `announced_at` is the line of the instruction, for the error.
  // kInvalidArgument with position: "unterminated heredoc", a line over kMaxLineBytes.
  absl::StatusOr<Heredoc> ReadHeredoc(const HeredocMarker& marker, int announced_at);

  // The physical line read last.
  int line_number() const { return line_number_; }

 private:
  bool AtEnd() const { return rest_.empty(); }
  // One physical line with its line feed.
  absl::StatusOr<absl::string_view> TakeLine();
  // Cuts the escape character that continues the line off its end; false when there is none.
  bool CutContinuation(absl::string_view& line) const;

  absl::string_view rest_;
  const std::string file_name_;
  const char escape_;
  int line_number_ = 0;
};

}  // namespace strata::dockerfile
