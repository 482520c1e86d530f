// Variables in Dockerfile words: $v, ${v}, ${v:-w} and its relatives, prefix and suffix removal, replacement; quotes.
//
// Pure functions; thread-safe. Time is bounded: nesting to 32 levels, input and output to `max_output_bytes`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace strata::dockerfile {

// The value of a variable, nullopt when it is not set.
using VariableLookup = absl::FunctionRef<std::optional<std::string>(absl::string_view name)>;

struct ExpandOptions {
  char escape = '\\';  // Directives::escape
  size_t max_output_bytes = 1024 * 1024;
  // When not null, gets the names that were unset and had no fallback in the text (for the check UndefinedVar).
  std::vector<std::string>* undefined = nullptr;
};

// One word: quotes and escapes are resolved and removed, blanks stay.
// kInvalidArgument without a position: bad substitution, unclosed quote or brace, unsupported modifier, a `${v:?text}` that
// fails, output over the limit.
absl::StatusOr<std::string> ExpandWord(absl::string_view word, VariableLookup lookup, const ExpandOptions& options = {});

// The same, but blanks outside quotes, also those that come from a variable, separate words. Empty words count only when quoted.
absl::StatusOr<std::vector<std::string>> ExpandWords(absl::string_view text, VariableLookup lookup,
                                                     const ExpandOptions& options = {});

// The body of an unquoted here-document of COPY or ADD: quotes are ordinary characters, the escape character still makes the
// next one literal.
absl::StatusOr<std::string> ExpandHeredoc(absl::string_view body, VariableLookup lookup, const ExpandOptions& options = {});

}  // namespace strata::dockerfile
