// The JSON form of RUN, CMD, COPY and others: an array of strings that is the whole rest of the line.   Pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace strata::dockerfile {

struct JsonArray {
  enum class Kind {
    kNone,     // not a JSON array: the text is meant for the shell or as a plain list
    kStrings,  // an array of strings, maybe empty
    kMixed,    // a JSON array that holds something else
  };
  Kind kind = Kind::kNone;
  std::vector<std::string> strings;
};

// Strict JSON (RFC 8259), blanks around it allowed, nesting to 32 levels; lone surrogates become U+FFFD.
JsonArray ReadJsonArray(absl::string_view text);

// The string under `key` of a JSON object that `text` starts with; nullopt when there is none.
std::optional<std::string> ReadJsonStringField(absl::string_view text, absl::string_view key);

}  // namespace strata::dockerfile
