#include "services/builder/dockerfile/shell_pattern.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace strata::dockerfile {
namespace {

struct Token {
  enum class Kind { kByte, kAny, kStar } kind;
  char byte = 0;
};

std::vector<Token> Tokenize(absl::string_view pattern) {
  std::vector<Token> tokens;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '*') {
      if (tokens.empty() || tokens.back().kind != Token::Kind::kStar) tokens.push_back({Token::Kind::kStar});
    } else if (pattern[i] == '?') {
      tokens.push_back({Token::Kind::kAny});
    } else {
      if (pattern[i] == '\\' && i + 1 < pattern.size()) ++i;
      tokens.push_back({Token::Kind::kByte, pattern[i]});
    }
  }
  return tokens;
}

// Reads `size` bytes through `at` and returns where, as a count of bytes read, the pattern is complete: the first such place
// or the last. `steps` counts the work.
template <typename At>
std::optional<size_t> Run(const std::vector<Token>& tokens, size_t size, At at, bool longest, uint64_t& steps) {
  std::vector<char> states(tokens.size() + 1, 0), next(tokens.size() + 1, 0);
  const auto enter = [&tokens](std::vector<char>& set, size_t state) {
    set[state] = 1;
    if (state < tokens.size() && tokens[state].kind == Token::Kind::kStar) set[state + 1] = 1;
  };
  enter(states, 0);
  std::optional<size_t> found;
  for (size_t read = 0;; ++read) {
    if (states[tokens.size()]) {
      found = read;
      if (!longest) return found;
    }
    if (read == size) return found;
    std::fill(next.begin(), next.end(), 0);
    bool is_alive = false;
    for (size_t state = 0; state < tokens.size(); ++state) {
      if (!states[state]) continue;
      const Token& token = tokens[state];
      if (token.kind == Token::Kind::kStar) {
        enter(next, state);
      } else if (token.kind == Token::Kind::kAny || token.byte == at(read)) {
        enter(next, state + 1);
      } else {
        continue;
      }
      is_alive = true;
    }
    steps += tokens.size() + 1;
    if (!is_alive) return found;
    states.swap(next);
  }
}

}  // namespace

std::optional<size_t> MatchPrefix(absl::string_view pattern, absl::string_view text, bool longest) {
  uint64_t steps = 0;
  return Run(Tokenize(pattern), text.size(), [text](size_t i) { return text[i]; }, longest, steps);
}

std::optional<size_t> MatchSuffix(absl::string_view pattern, absl::string_view text, bool longest) {
  uint64_t steps = 0;
  std::vector<Token> tokens = Tokenize(pattern);
  std::reverse(tokens.begin(), tokens.end());
  return Run(tokens, text.size(), [text](size_t i) { return text[text.size() - 1 - i]; }, longest, steps);
}

absl::StatusOr<std::string> Replace(absl::string_view pattern, absl::string_view text, absl::string_view replacement,
                                    bool all, size_t max_bytes) {
  const std::vector<Token> tokens = Tokenize(pattern);
  std::string out;
  uint64_t steps = 0;
  bool is_done = false;
  for (size_t i = 0; i < text.size();) {
    std::optional<size_t> length;
    if (!is_done) {
      const absl::string_view rest = text.substr(i);
      length = Run(tokens, rest.size(), [rest](size_t j) { return rest[j]; }, /*longest=*/true, steps);
    }
    if (steps > kMaxSteps) return absl::InvalidArgumentError("a ${v/p/r} takes too long; use a shorter value or pattern");
    if (!length.has_value() || *length == 0) {
      out += text[i++];
      continue;
    }
    absl::StrAppend(&out, replacement);
    if (out.size() > max_bytes) return absl::InvalidArgumentError(absl::StrCat("a ${v/p/r} grows over ", max_bytes, " bytes"));
    i += *length;
    is_done = !all;
  }
  return out;
}

}  // namespace strata::dockerfile
