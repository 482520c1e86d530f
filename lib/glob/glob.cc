#include "lib/glob/glob.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/base/status.h"

namespace strata::glob {
namespace {

// Takes one code point off the front. A byte that is not UTF-8 becomes a value that no code point has, so that it only
// equals itself.
char32_t TakeCodePoint(absl::string_view& text) {
  const auto byte = [&text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  const size_t length = lead < 0x80 ? 1 : (lead >> 5) == 0x6 ? 2 : (lead >> 4) == 0xE ? 3 : (lead >> 3) == 0x1E ? 4 : 0;
  if (length == 1) {
    text.remove_prefix(1);
    return lead;
  }
  char32_t value = length == 0 ? 0 : lead & (0x7F >> length);
  bool is_valid = length != 0 && length <= text.size();
  for (size_t i = 1; is_valid && i < length; ++i) {
    is_valid = (byte(i) >> 6) == 0x2;
    value = (value << 6) | (byte(i) & 0x3F);
  }
  text.remove_prefix(is_valid ? length : 1);
  return is_valid ? value : 0x110000 + lead;
}

absl::Status Malformed(absl::string_view text, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("malformed pattern \"", text.substr(0, 80), "\": ", why));
}

}  // namespace

// The set of places in the pattern that what was read so far may have reached.
class Pattern::Walk {
 public:
  Walk(const std::vector<Token>& tokens, size_t start) : tokens_(tokens), marks_(tokens.size() + 1, kAbsent) { Enter(start); }

  bool is_dead() const { return states_.empty(); }
  bool is_accepting() const { return marks_[tokens_.size()] != kAbsent; }

  void Read(char32_t c) {
    previous_.swap(states_);
    states_.clear();
    for (const size_t state : previous_) marks_[state] = kAbsent;
    for (const size_t state : previous_) Step(state, c);
  }

 private:
  enum Mark : uint8_t { kAbsent, kStayed, kEntered };

  void Step(size_t state, char32_t c) {
    if (state == tokens_.size()) return;
    const Token& token = tokens_[state];
    switch (token.kind) {
      case Kind::kChar:
        if (c == token.character) Enter(state + 1);
        return;
      case Kind::kAnyChar:
        if (c != '/') Enter(state + 1);
        return;
      case Kind::kClass:
        if (c != '/' && ClassHolds(token, c)) Enter(state + 1);
        return;
      case Kind::kStar:
        if (c != '/') Enter(state);
        return;
      case Kind::kRest:
        Enter(state);
        return;
      case Kind::kFolders:
        // Leaving is possible at a component's end only, hence "stayed": Enter() would also leave at once.
        Set(state, kStayed);
        if (c == '/') Enter(state + 1);
        return;
    }
  }

  static bool ClassHolds(const Token& token, char32_t c) {
    bool holds = false;
    for (const auto& [low, high] : token.ranges) holds = holds || (low <= c && c <= high);
    return holds != token.negated;
  }

  // Reaches `state` and whatever follows it without reading.
  void Enter(size_t state) {
    while (marks_[state] != kEntered) {
      Set(state, kEntered);
      if (state == tokens_.size()) return;
      const Kind kind = tokens_[state].kind;
      if (kind != Kind::kStar && kind != Kind::kFolders && kind != Kind::kRest) return;
      ++state;
    }
  }

  void Set(size_t state, Mark mark) {
    if (marks_[state] == kAbsent) states_.push_back(state);
    if (marks_[state] < mark) marks_[state] = mark;
  }

  const std::vector<Token>& tokens_;
  std::vector<Mark> marks_;
  std::vector<size_t> states_;
  std::vector<size_t> previous_;
};

absl::StatusOr<Pattern> Pattern::Compile(absl::string_view text, Syntax syntax) {
  if (text.size() > kMaxPatternBytes) {
    return Malformed(text, absl::StrCat(text.size(), " bytes are more than the allowed ", kMaxPatternBytes));
  }
  Pattern pattern;
  STRATA_RETURN_IF_ERROR(pattern.Parse(text, syntax));
  return pattern;
}

absl::Status Pattern::Parse(absl::string_view text, Syntax syntax) {
  absl::string_view rest = text;
  const auto add = [this](Token token) {
    is_literal_ = false;
    // A second one in a row changes nothing and would cost time in every match.
    const bool is_open_ended = token.kind == Kind::kStar || token.kind == Kind::kFolders || token.kind == Kind::kRest;
    if (is_open_ended && !tokens_.empty() && tokens_.back().kind == token.kind) return;
    tokens_.push_back(std::move(token));
  };
  const auto add_character = [this](absl::string_view bytes, char32_t c) {
    if (is_literal_) absl::StrAppend(&literal_, bytes);
    tokens_.push_back({.kind = Kind::kChar, .character = c});
  };
  const auto take_class_character = [&rest](char32_t* c) {
    if (rest.empty() || rest[0] == '-' || rest[0] == ']') return false;
    if (rest[0] == '\\') rest.remove_prefix(1);
    if (rest.empty()) return false;
    *c = TakeCodePoint(rest);
    return true;
  };

  while (!rest.empty()) {
    if (syntax == Syntax::kDoubleStar && absl::StartsWith(rest, "**")) {
      rest.remove_prefix(2);
      absl::ConsumePrefix(&rest, "/");
      add({.kind = rest.empty() ? Kind::kRest : Kind::kFolders});
      continue;
    }
    if (rest[0] == '*' || rest[0] == '?') {
      add({.kind = rest[0] == '*' ? Kind::kStar : Kind::kAnyChar});
      rest.remove_prefix(1);
      continue;
    }
    if (rest[0] == '[') {
      rest.remove_prefix(1);
      Token token{.kind = Kind::kClass, .negated = absl::ConsumePrefix(&rest, "^")};
      do {
        char32_t low = 0;
        if (!take_class_character(&low)) return Malformed(text, "a [class] is empty, unclosed or starts or ends with '-'");
        char32_t high = low;
        if (absl::ConsumePrefix(&rest, "-") && !take_class_character(&high)) {
          return Malformed(text, "a range in a [class] has no end; write \\- for a dash");
        }
        token.ranges.emplace_back(low, high);
      } while (!rest.empty() && rest[0] != ']');
      if (!absl::ConsumePrefix(&rest, "]")) return Malformed(text, "a [class] is not closed");
      add(std::move(token));
      continue;
    }
    if (rest[0] == '\\') {
      rest.remove_prefix(1);
      if (rest.empty()) return Malformed(text, "nothing follows the last backslash");
    }
    const absl::string_view before = rest;
    const char32_t c = TakeCodePoint(rest);
    add_character(before.substr(0, before.size() - rest.size()), c);
  }
  return absl::OkStatus();
}

namespace {

size_t CountCodePoints(absl::string_view text) {
  size_t count = 0;
  for (; !text.empty(); ++count) TakeCodePoint(text);
  return count;
}

}  // namespace

bool Pattern::Matches(absl::string_view path) const {
  if (is_literal_) return path == literal_;
  if (!absl::ConsumePrefix(&path, literal_)) return false;
  Walk walk(tokens_, CountCodePoints(literal_));
  while (!path.empty() && !walk.is_dead()) walk.Read(TakeCodePoint(path));
  return walk.is_accepting();
}

bool Pattern::MatchesPathOrParent(absl::string_view path) const {
  if (!absl::ConsumePrefix(&path, literal_)) return false;
  if (is_literal_) return path.empty() || (path[0] == '/' && !literal_.empty());
  Walk walk(tokens_, CountCodePoints(literal_));
  while (!path.empty() && !walk.is_dead()) {
    if (path[0] == '/' && walk.is_accepting()) return true;
    walk.Read(TakeCodePoint(path));
  }
  return walk.is_accepting();
}

bool Pattern::MayMatchBelow(absl::string_view folder) const {
  if (folder.empty()) return !tokens_.empty();
  const std::string start = absl::StrCat(folder, "/");
  if (literal_.size() > start.size() || is_literal_) return absl::StartsWith(literal_, start) && literal_.size() > start.size();
  absl::string_view rest = start;
  if (!absl::ConsumePrefix(&rest, literal_)) return false;
  Walk walk(tokens_, CountCodePoints(literal_));
  while (!rest.empty() && !walk.is_dead()) walk.Read(TakeCodePoint(rest));
  return !walk.is_dead();
}

absl::StatusOr<bool> MatchGlob(absl::string_view pattern, absl::string_view path) {
  STRATA_ASSIGN_OR_RETURN(const Pattern compiled, Pattern::Compile(pattern));
  return compiled.Matches(path);
}

bool HasWildcard(absl::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '*' || text[i] == '?' || text[i] == '[') {
      return true;
    }
  }
  return false;
}

std::string Escape(absl::string_view path) {
  std::string pattern;
  for (const char c : path) {
    if (c == '*' || c == '?' || c == '[' || c == '\\') pattern.push_back('\\');
    pattern.push_back(c);
  }
  return pattern;
}

}  // namespace strata::glob
