#include "services/builder/dockerfile/expand.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "services/builder/dockerfile/shell_pattern.h"

namespace strata::dockerfile {
namespace {

constexpr int kMaxDepth = 32;

// Collects the result, as one string and cut into words at unquoted blanks.
class Output {
 public:
  // Quoted or escaped text: part of the word whatever it is.
  void AddQuoted(absl::string_view text) {
    text_.append(text.data(), text.size());
    word_.append(text.data(), text.size());
    has_word_ = true;
  }

  void AddUnquoted(absl::string_view text) {
    text_.append(text.data(), text.size());
    for (const char c : text) {
      if (absl::ascii_isspace(c)) {
        EndWord();
      } else {
        word_ += c;
        has_word_ = true;
      }
    }
  }

  size_t size() const { return text_.size(); }
  std::string TakeText() { return std::move(text_); }
  std::vector<std::string> TakeWords() {
    EndWord();
    return std::move(words_);
  }

 private:
  void EndWord() {
    if (has_word_) words_.push_back(std::exchange(word_, {}));
    has_word_ = false;
  }

  std::string text_;
  std::string word_;
  bool has_word_ = false;
  std::vector<std::string> words_;
};

bool IsNameStart(char c) { return absl::ascii_isalpha(c) || c == '_'; }
bool IsNameCharacter(char c) { return absl::ascii_isalnum(c) || c == '_'; }
bool IsSpecialName(char c) { return c != '\0' && absl::string_view("@*#?-$!").find(c) != absl::string_view::npos; }

// kPattern keeps escapes for the pattern matcher, as `\c`.
enum class Mode { kWord, kPattern };

class Expander {
 public:
  Expander(absl::string_view text, bool quotes_are_text, VariableLookup lookup, const ExpandOptions& options)
      : text_(text), quotes_are_text_(quotes_are_text), lookup_(lookup), options_(options) {}

  absl::Status Run(Output& out) {
    if (text_.size() > options_.max_output_bytes) return TooLong();
    return Until('\0', Mode::kWord, out);
  }

 private:
  bool AtEnd() const { return position_ == text_.size(); }
  // '\0' at the end; a NUL byte in the text is ordinary because AtEnd() is asked first.
  char Peek() const { return AtEnd() ? '\0' : text_[position_]; }

  absl::Status TooLong() const {
    return absl::InvalidArgumentError(
        absl::StrCat("the text with its variables filled in is longer than ", options_.max_output_bytes, " bytes"));
  }
  absl::Status Bad(absl::string_view what) const {
    return absl::InvalidArgumentError(absl::StrCat("syntax error: ", what, " in \"", text_.substr(0, 80), "\""));
  }

  // Up to `stop` (consumed) outside quotes; '\0' means the end of the text.
  absl::Status Until(char stop, Mode mode, Output& out) {
    while (!AtEnd()) {
      const char c = text_[position_];
      if (stop != '\0' && c == stop) {
        ++position_;
        return absl::OkStatus();
      }
      if (c == '$') {
        STRATA_RETURN_IF_ERROR(Dollar(mode, /*is_quoted=*/false, out));
      } else if (c == '\'' && !quotes_are_text_) {
        STRATA_RETURN_IF_ERROR(SingleQuoted(mode, out));
      } else if (c == '"' && !quotes_are_text_) {
        STRATA_RETURN_IF_ERROR(DoubleQuoted(mode, out));
      } else if (c == options_.escape) {
        ++position_;
        if (!AtEnd()) AddLiteral(text_.substr(position_++, 1), mode, out);
      } else {
        out.AddUnquoted(text_.substr(position_++, 1));
      }
      if (out.size() > options_.max_output_bytes) return TooLong();
    }
    if (stop == '\0') return absl::OkStatus();
    return Bad(stop == '}' ? "missing '}'" : "missing '/'");
  }

  void AddLiteral(absl::string_view text, Mode mode, Output& out) {
    if (mode == Mode::kWord) return out.AddQuoted(text);
    std::string escaped;
    for (const char c : text) {
      if (c == '*' || c == '?' || c == '\\') escaped += '\\';
      escaped += c;
    }
    out.AddQuoted(escaped);
  }

  absl::Status SingleQuoted(Mode mode, Output& out) {
    const size_t end = text_.find('\'', position_ + 1);
    if (end == absl::string_view::npos) return Unclosed("single");
    AddLiteral(text_.substr(position_ + 1, end - position_ - 1), mode, out);
    position_ = end + 1;
    return absl::OkStatus();
  }

  absl::Status DoubleQuoted(Mode mode, Output& out) {
    ++position_;
    out.AddQuoted("");
    while (!AtEnd()) {
      const char c = text_[position_];
      if (c == '"') {
        ++position_;
        return absl::OkStatus();
      }
      if (c == '$') {
        STRATA_RETURN_IF_ERROR(Dollar(mode, /*is_quoted=*/true, out));
        if (out.size() > options_.max_output_bytes) return TooLong();
        continue;
      }
      if (c == options_.escape && position_ + 1 < text_.size()) {
        const char next = text_[position_ + 1];
        if (next == '"' || next == '$' || next == options_.escape) ++position_;
      }
      AddLiteral(text_.substr(position_++, 1), mode, out);
    }
    return Unclosed("double");
  }

  absl::Status Unclosed(absl::string_view kind) const {
    return absl::InvalidArgumentError(absl::StrCat("unexpected end of statement while looking for matching ", kind,
                                                   "-quote in \"", text_.substr(0, 80), "\"; close it or escape it with ",
                                                   std::string(1, options_.escape)));
  }

  absl::Status Dollar(Mode mode, bool is_quoted, Output& out) {
    ++position_;
    std::string value;
    if (Peek() == '{') {
      ++position_;
      STRATA_ASSIGN_OR_RETURN(value, Braced());
    } else {
      const absl::string_view name = TakeName();
      if (name.empty()) {
        out.AddQuoted("$");
        return absl::OkStatus();
      }
      value = Value(name);
    }
    // A value is text even in a pattern, as in a shell's "${v#"$p"}"; unquoted it may hold wildcards.
    if (is_quoted) {
      AddLiteral(value, mode, out);
    } else {
      out.AddUnquoted(value);
    }
    return absl::OkStatus();
  }

  absl::string_view TakeName() {
    const size_t start = position_;
    if (IsNameStart(Peek())) {
      while (!AtEnd() && IsNameCharacter(Peek())) ++position_;
    } else if (absl::ascii_isdigit(Peek())) {
      while (!AtEnd() && absl::ascii_isdigit(Peek())) ++position_;
    } else if (IsSpecialName(Peek())) {
      ++position_;
    }
    return text_.substr(start, position_ - start);
  }

  // The value of a variable whose absence is worth a warning.
  std::string Value(absl::string_view name) {
    std::optional<std::string> value = lookup_(name);
    if (value.has_value()) return *std::move(value);
    if (options_.undefined != nullptr && unused_ == 0) options_.undefined->emplace_back(name);
    return "";
  }

  // After "${", up to and with the brace that closes it.
  absl::StatusOr<std::string> Braced() {
    if (++depth_ > kMaxDepth) return Bad(absl::StrCat("more than ", kMaxDepth, " levels of ${...}"));
    if (AtEnd()) return Bad("missing '}'");
    const absl::string_view name = TakeName();
    if (name.empty()) return Bad("bad substitution");
    if (AtEnd()) return Bad("missing '}'");
    absl::StatusOr<std::string> value = AfterName(name);
    --depth_;
    return value;
  }

  absl::StatusOr<std::string> AfterName(absl::string_view name) {
    const char modifier = text_[position_++];
    switch (modifier) {
      case '}':
        return Value(name);
      case ':': {
        const char next = Peek();
        if (AtEnd()) return Bad("missing '}'");
        ++position_;
        if (next == '-' || next == '+' || next == '?') return Fallback(name, next, /*empty_is_unset=*/true);
        return Unsupported(absl::StrCat(":", std::string(1, next)));
      }
      case '-':
      case '+':
      case '?':
        return Fallback(name, modifier, /*empty_is_unset=*/false);
      case '#':
      case '%':
        return Strip(name, modifier);
      case '/':
        return ReplaceIn(name);
      default:
        return Unsupported(std::string(1, modifier));
    }
  }

  absl::Status Unsupported(absl::string_view modifier) const {
    return absl::InvalidArgumentError(absl::StrCat("unsupported modifier (", modifier, ") in substitution in \"",
                                                   text_.substr(0, 80), "\"; use one of :- - :+ + :? ? # ## % %% / //"));
  }

  absl::StatusOr<std::string> Fallback(absl::string_view name, char modifier, bool empty_is_unset) {
    std::optional<std::string> value = lookup_(name);
    const bool is_set = value.has_value() && !(empty_is_unset && value->empty());
    const bool is_used = modifier == '+' ? is_set : !is_set;
    // A word that is not used must parse, but neither fail nor warn about what it holds.
    if (!is_used) ++unused_;
    absl::StatusOr<std::string> word = WordUntil('}', Mode::kWord);
    if (!is_used) --unused_;
    STRATA_RETURN_IF_ERROR(word.status());
    if (modifier == '+') return is_set ? *std::move(word) : "";
    if (is_set) return *std::move(value);
    if (modifier == '-' || unused_ > 0) return modifier == '-' ? *std::move(word) : "";
    if (word->empty()) *word = absl::StrCat("is not allowed to be ", empty_is_unset ? "empty" : "unset");
    return absl::InvalidArgumentError(absl::StrCat(name, ": ", *word));
  }

  absl::StatusOr<std::string> Strip(absl::string_view name, char end) {
    const bool longest = Peek() == end;
    if (longest) ++position_;
    STRATA_ASSIGN_OR_RETURN(const std::string pattern, WordUntil('}', Mode::kPattern));
    std::string value = Value(name);
    STRATA_RETURN_IF_ERROR(Charge(pattern, value));
    if (end == '#') return value.substr(MatchPrefix(pattern, value, longest).value_or(0));
    return value.substr(0, value.size() - MatchSuffix(pattern, value, longest).value_or(0));
  }

  absl::StatusOr<std::string> ReplaceIn(absl::string_view name) {
    const bool all = Peek() == '/';
    if (all) ++position_;
    STRATA_ASSIGN_OR_RETURN(const std::string pattern, WordUntil('/', Mode::kPattern));
    STRATA_ASSIGN_OR_RETURN(const std::string replacement, WordUntil('}', Mode::kWord));
    const std::string value = Value(name);
    STRATA_RETURN_IF_ERROR(Charge(pattern, value));
    return Replace(pattern, value, replacement, all, options_.max_output_bytes);
  }

  // A long word of many pattern removals over a long value must not keep a processor for minutes.
  absl::Status Charge(absl::string_view pattern, absl::string_view value) {
    steps_ += (pattern.size() + 1) * (value.size() + 1);
    if (steps_ <= kMaxSteps) return absl::OkStatus();
    return absl::InvalidArgumentError("the patterns in one word take too long to match; use fewer or shorter ones");
  }

  absl::StatusOr<std::string> WordUntil(char stop, Mode mode) {
    Output out;
    STRATA_RETURN_IF_ERROR(Until(stop, mode, out));
    return out.TakeText();
  }

  const absl::string_view text_;
  const bool quotes_are_text_;
  const VariableLookup lookup_;
  const ExpandOptions& options_;
  size_t position_ = 0;
  int depth_ = 0;
  uint64_t steps_ = 0;  // of pattern matching
  int unused_ = 0;      // how many words around us are read without being used
};

}  // namespace

absl::StatusOr<std::string> ExpandWord(absl::string_view word, VariableLookup lookup, const ExpandOptions& options) {
  Output out;
  STRATA_RETURN_IF_ERROR(Expander(word, /*quotes_are_text=*/false, lookup, options).Run(out));
  return out.TakeText();
}

absl::StatusOr<std::vector<std::string>> ExpandWords(absl::string_view text, VariableLookup lookup, const ExpandOptions& options) {
  Output out;
  STRATA_RETURN_IF_ERROR(Expander(text, /*quotes_are_text=*/false, lookup, options).Run(out));
  return out.TakeWords();
}

absl::StatusOr<std::string> ExpandHeredoc(absl::string_view body, VariableLookup lookup, const ExpandOptions& options) {
  Output out;
  ExpandOptions wider = options;
  // A body is a file, not a word: only what its variables add is bounded.
  wider.max_output_bytes += body.size();
  STRATA_RETURN_IF_ERROR(Expander(body, /*quotes_are_text=*/true, lookup, wider).Run(out));
  return out.TakeText();
}

}  // namespace strata::dockerfile
