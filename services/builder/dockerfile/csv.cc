#include "services/builder/dockerfile/csv.h"

#include "absl/strings/str_cat.h"

namespace strata::dockerfile {

absl::StatusOr<std::vector<std::string>> ParseCsvRecord(absl::string_view text) {
  const auto malformed = [text](absl::string_view why) {
    return absl::InvalidArgumentError(absl::StrCat("\"", text.substr(0, 80), "\" is no list of options between commas: ", why));
  };
  std::vector<std::string> fields;
  for (size_t i = 0;; ++i) {
    std::string field;
    if (i < text.size() && text[i] == '"') {
      for (++i;; ++i) {
        if (i >= text.size()) return malformed("a double quote is not closed");
        if (text[i] != '"') {
          field += text[i];
        } else if (i + 1 < text.size() && text[i + 1] == '"') {
          field += text[++i];
        } else {
          break;
        }
      }
      ++i;
      if (i < text.size() && text[i] != ',') return malformed("text follows a closing quote");
    } else {
      for (; i < text.size() && text[i] != ','; ++i) {
        if (text[i] == '"') return malformed("a double quote inside an option; quote the whole option");
        field += text[i];
      }
    }
    fields.push_back(field);
    if (i >= text.size()) return fields;
  }
}

}  // namespace strata::dockerfile
