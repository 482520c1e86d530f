#include "services/builder/dockerfile/line_reader.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/base/status.h"
#include "services/builder/dockerfile/parser.h"

namespace strata::dockerfile {
namespace {

absl::string_view TrimLineEnd(absl::string_view line) {
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  return line;
}

absl::string_view TrimLeadingTabs(absl::string_view line) {
  while (!line.empty() && line[0] == '\t') line.remove_prefix(1);
  return line;
}

}  // namespace

LineReader::LineReader(absl::string_view text, absl::string_view file_name, char escape)
    : rest_(absl::StripPrefix(text, "\xEF\xBB\xBF")), file_name_(file_name), escape_(escape) {}

absl::StatusOr<absl::string_view> LineReader::TakeLine() {
  const size_t end = rest_.find('\n');
  const absl::string_view line = rest_.substr(0, end == absl::string_view::npos ? end : end + 1);
  rest_.remove_prefix(line.size());
  ++line_number_;
  if (TrimLineEnd(line).size() > kMaxLineBytes) {
    return ErrorAt({file_name_, line_number_},
                   absl::StrCat("dockerfile line greater than max allowed size of ", kMaxLineBytes,
                                " bytes; break it up or COPY the data from a file"));
  }
  return line;
}

bool LineReader::CutContinuation(absl::string_view& line) const {
  absl::string_view cut = line;
  while (!cut.empty() && (cut.back() == ' ' || cut.back() == '\t')) cut.remove_suffix(1);
  if (cut.empty() || cut.back() != escape_) return false;
  cut.remove_suffix(1);
  if (!cut.empty() && cut.back() == escape_) return false;
  line = cut;
  return true;
}

absl::StatusOr<std::optional<LogicalLine>> LineReader::Next() {
  LogicalLine out;
  bool has_started = false;
  while (!AtEnd()) {
    STRATA_ASSIGN_OR_RETURN(absl::string_view line, TakeLine());
    line = TrimLineEnd(line);
    const absl::string_view trimmed = absl::StripLeadingAsciiWhitespace(line);
    if (trimmed.empty()) {
      if (has_started) out.empty_lines.push_back(line_number_);
      continue;
    }
    if (trimmed[0] == '#') {
      if (has_started) continue;
      const absl::string_view comment = absl::StripAsciiWhitespace(trimmed.substr(1));
      if (comment.empty()) {
        out.comment.clear();
      } else {
        absl::StrAppend(&out.comment, out.comment.empty() ? "" : " ", comment);
      }
      continue;
    }
    if (!has_started) {
      out.range.first_line = line_number_;
      line = trimmed;
      has_started = true;
    }
    out.range.last_line = line_number_;
    const bool continues = CutContinuation(line);
    out.text.append(line.data(), line.size());
    if (!continues) break;
  }
  if (!has_started) return std::nullopt;
  out.text = std::string(absl::StripAsciiWhitespace(out.text));
  return out;
}

LogicalLine LineReader::TakeVerbatim() {
  const size_t end = std::min(rest_.find('\n'), rest_.size());
  ++line_number_;
  LogicalLine line{.text = std::string(absl::StripAsciiWhitespace(rest_.substr(0, end))), .range = {line_number_, line_number_}};
  rest_.remove_prefix(std::min(end + 1, rest_.size()));
  return line;
}

absl::StatusOr<Heredoc> LineReader::ReadHeredoc(const HeredocMarker& marker, int announced_at) {
  Heredoc heredoc{.name = marker.name, .expand = marker.expand, .strip_tabs = marker.strip_tabs};
  while (!AtEnd()) {
    STRATA_ASSIGN_OR_RETURN(absl::string_view line, TakeLine());
    if (marker.strip_tabs) line = TrimLeadingTabs(line);
    if (TrimLineEnd(line) == marker.name) return heredoc;
    heredoc.content.append(line.data(), line.size());
  }
  return ErrorAt({file_name_, announced_at}, absl::StrCat("unterminated heredoc: no line \"", marker.name,
                                                          "\" follows; end the text with it, alone and from the first column"));
}

}  // namespace strata::dockerfile
