// Cutting an instruction's line into words, flags and here-document markers.   Pure functions; thread-safe.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "services/builder/dockerfile/line_reader.h"

namespace strata::dockerfile {

// At blanks, whatever the quotes: FROM, COPY, EXPOSE, VOLUME.
std::vector<std::string> SplitAtBlanks(absl::string_view text);

// At blanks outside quotes; quotes and escapes stay in the words: ENV, LABEL, ARG.
std::vector<std::string> SplitQuoted(absl::string_view text, char escape);

// The first word and the trimmed rest.
struct FirstWord {
  absl::string_view word;
  absl::string_view rest;
};
FirstWord CutFirstWord(absl::string_view text);

// The words that start with "--" at the front of `text`, quotes and escapes resolved; a lone "--" ends them and is dropped.
// Flags are cut off `text`.
std::vector<std::string> TakeFlags(absl::string_view& text, char escape);

// What a word such as `<<EOF`, `<<-"EOF"` or `3<<EOF` announces; nullopt when it is no here-document.
std::optional<HeredocMarker> ReadHeredocMarker(absl::string_view word);

// The markers of a line in order, those inside quotes left out.
std::vector<HeredocMarker> FindHeredocs(absl::string_view line, char escape);

}  // namespace strata::dockerfile
