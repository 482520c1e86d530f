// Path patterns: those of COPY sources (Go's filepath.Match) and those of .dockerignore (the same plus `**`).
//
//   *      any run of characters but '/'         ?      any one character but '/'
//   [a-z]  one of a class, [^a-z] none of it     \c     the character c
//   **     (kDoubleStar only) nothing, or anything that ends with a '/': "**/x" is x in any folder; at the end: anything at all
//
// Characters are UTF-8 code points. Matching takes time in proportion to pattern length times path length, whatever the
// pattern. Pattern is a value type; thread-compatible.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace strata::glob {

constexpr size_t kMaxPatternBytes = 16 * 1024;

enum class Syntax { kSimple, kDoubleStar };

class Pattern {
 public:
  // kInvalidArgument: an unclosed or empty class, a range like [-a], a trailing backslash, over kMaxPatternBytes.
  static absl::StatusOr<Pattern> Compile(absl::string_view text, Syntax syntax = Syntax::kSimple);

  // Whether the whole of `path` matches.
  bool Matches(absl::string_view path) const;
  // Whether `path` or one of the folders above it matches: for "a/b/c" that is "a", "a/b" and "a/b/c".
  bool MatchesPathOrParent(absl::string_view path) const;
  // Whether some path below `folder` could match. `folder` "" is the root.
  bool MayMatchBelow(absl::string_view folder) const;

  // No wildcard in it: Matches() is equality with literal().
  bool is_literal() const { return is_literal_; }
  // The pattern's text up to the first wildcard, escapes resolved.
  const std::string& literal() const { return literal_; }

 private:
  enum class Kind : uint8_t { kChar, kAnyChar, kClass, kStar, kFolders, kRest };
  struct Token {
    Kind kind;
    char32_t character = 0;
    bool negated = false;
    std::vector<std::pair<char32_t, char32_t>> ranges;
  };
  class Walk;

  absl::Status Parse(absl::string_view text, Syntax syntax);

  std::vector<Token> tokens_;
  std::string literal_;
  bool is_literal_ = true;
};

// One-off: whether `path` matches the simple pattern. Compile a Pattern to match many paths.
absl::StatusOr<bool> MatchGlob(absl::string_view pattern, absl::string_view path);

// Whether the text holds a wildcard (`*`, `?`, `[` not escaped by a backslash).
bool HasWildcard(absl::string_view text);

// The pattern that matches `path` and nothing else.
std::string Escape(absl::string_view path);

}  // namespace strata::glob
