#include "services/builder/dockerfile/words.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace strata::dockerfile {
namespace {

// A place in a text that knows whether it is inside quotes.
class QuoteScanner {
 public:
  QuoteScanner(absl::string_view text, char escape) : text_(text), escape_(escape) {}

  bool AtEnd() const { return position_ >= text_.size(); }
  bool AtBlank() const { return quote_ == '\0' && absl::ascii_isspace(text_[position_]); }
  size_t position() const { return position_; }

  // One step: a character, a quote, or an escape with what it protects. Adds what a reader of the plain text sees to `plain`.
  void Step(std::string* plain) {
    const char c = text_[position_++];
    if (c == escape_ && quote_ != '\'') {
      if (AtEnd()) return;
      *plain += text_[position_++];
    } else if (c == quote_) {
      quote_ = '\0';
    } else if (quote_ == '\0' && (c == '"' || c == '\'')) {
      quote_ = c;
    } else {
      *plain += c;
    }
  }

  void SkipBlanks() {
    while (!AtEnd() && AtBlank()) ++position_;
  }

 private:
  const absl::string_view text_;
  const char escape_;
  size_t position_ = 0;
  char quote_ = '\0';
};

bool IsShellOperator(char c) { return absl::string_view("|&;()<>").find(c) != absl::string_view::npos; }

}  // namespace

std::vector<std::string> SplitAtBlanks(absl::string_view text) {
  return absl::StrSplit(text, absl::ByAnyChar(" \t\r\n\v\f"), absl::SkipEmpty());
}

std::vector<std::string> SplitQuoted(absl::string_view text, char escape) {
  std::vector<std::string> words;
  QuoteScanner scanner(text, escape);
  std::string ignored;
  for (scanner.SkipBlanks(); !scanner.AtEnd(); scanner.SkipBlanks()) {
    const size_t start = scanner.position();
    while (!scanner.AtEnd() && !scanner.AtBlank()) scanner.Step(&ignored);
    words.emplace_back(text.substr(start, scanner.position() - start));
  }
  return words;
}

FirstWord CutFirstWord(absl::string_view text) {
  text = absl::StripAsciiWhitespace(text);
  size_t end = 0;
  while (end < text.size() && !absl::ascii_isspace(text[end])) ++end;
  return {text.substr(0, end), absl::StripAsciiWhitespace(text.substr(end))};
}

std::vector<std::string> TakeFlags(absl::string_view& text, char escape) {
  std::vector<std::string> flags;
  for (;;) {
    text = absl::StripAsciiWhitespace(text);
    if (!absl::StartsWith(text, "--")) return flags;
    QuoteScanner scanner(text, escape);
    std::string flag;
    while (!scanner.AtEnd() && !scanner.AtBlank()) scanner.Step(&flag);
    text.remove_prefix(scanner.position());
    if (flag == "--") {
      text = absl::StripAsciiWhitespace(text);
      return flags;
    }
    flags.push_back(std::move(flag));
  }
}

std::optional<HeredocMarker> ReadHeredocMarker(absl::string_view word) {
  while (!word.empty() && absl::ascii_isdigit(word[0])) word.remove_prefix(1);
  if (!absl::ConsumePrefix(&word, "<<")) return std::nullopt;
  HeredocMarker marker;
  marker.strip_tabs = absl::ConsumePrefix(&word, "-");
  if (absl::StartsWith(word, "<")) return std::nullopt;
  for (size_t i = 0; i < word.size() && !IsShellOperator(word[i]);) {
    const char c = word[i++];
    if (c != '"' && c != '\'' && c != '\\') {
      marker.name += c;
      continue;
    }
    // Any quoting of the name makes the body literal, as in a shell.
    marker.expand = false;
    if (c == '\\') {
      if (i < word.size()) marker.name += word[i++];
      continue;
    }
    const size_t end = word.find(c, i);
    if (end == absl::string_view::npos) return std::nullopt;
    marker.name.append(word.data() + i, end - i);
    i = end + 1;
  }
  if (marker.name.empty()) return std::nullopt;
  return marker;
}

std::vector<HeredocMarker> FindHeredocs(absl::string_view line, char escape) {
  std::vector<HeredocMarker> markers;
  for (const std::string& word : SplitQuoted(line, escape)) {
    std::optional<HeredocMarker> marker = ReadHeredocMarker(word);
    if (marker.has_value()) markers.push_back(*std::move(marker));
  }
  return markers;
}

}  // namespace strata::dockerfile
