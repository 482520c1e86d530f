// .dockerignore: which paths of a build context stay out of it.
//
// One pattern a line, `!` takes back, the last line that matches decides; a pattern that matches a folder covers what is in it.
// A line that starts with '#' is a comment; lines are trimmed and cleaned like paths ("./a//b/" is "a/b", a leading '/' is dropped).
// Paths asked about are relative to the context's root, '/'-separated and clean ("src/main.cc"). Value type; thread-compatible.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "lib/glob/glob.h"

namespace strata::glob {

constexpr size_t kMaxIgnoreBytes = 1024 * 1024;

class IgnoreMatcher {
 public:
  // Ignores nothing.
  IgnoreMatcher() = default;

  // The text of a .dockerignore file, a byte order mark allowed.
  // kInvalidArgument with "line N: <what>": a malformed pattern, a lone "!", a file over kMaxIgnoreBytes.
  static absl::StatusOr<IgnoreMatcher> Parse(absl::string_view text);

  // Patterns as they stand in patterns(), or as COPY --exclude gives them. kInvalidArgument: a malformed one, quoted.
  static absl::StatusOr<IgnoreMatcher> FromPatterns(absl::Span<const std::string> patterns);

  // Whether `path` is ignored.
  bool Matches(absl::string_view path) const;

  // For a walk that stands before an ignored folder: false means that nothing below it can be taken back by a later `!` line,
  // so the folder need not be entered.
  bool MayReinclude(absl::string_view folder) const;

  // The cleaned patterns in order, `!` included; what a client that filters by itself is told.
  const std::vector<std::string>& patterns() const { return patterns_; }

 private:
  struct Rule {
    Pattern pattern;
    bool takes_back = false;
  };

  absl::Status AddPattern(absl::string_view pattern);
  // The last rule that matches `path`, -1 when none does.
  int LastMatch(absl::string_view path) const;

  std::vector<Rule> rules_;
  std::vector<std::string> patterns_;
};

}  // namespace strata::glob
