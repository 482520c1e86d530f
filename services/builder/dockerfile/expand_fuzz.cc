// Any bytes as a word; the text itself is the value of every variable.
#include <cstdint>
#include <cstdlib>

#include "services/builder/dockerfile/expand.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const auto lookup = [text](absl::string_view name) -> std::optional<std::string> {
    if (name == "u") return std::nullopt;
    return std::string(text);
  };
  std::vector<std::string> undefined;
  const strata::dockerfile::ExpandOptions options{.max_output_bytes = 4096, .undefined = &undefined};
  const absl::StatusOr<std::string> word = strata::dockerfile::ExpandWord(text, lookup, options);
  const absl::StatusOr<std::vector<std::string>> words = strata::dockerfile::ExpandWords(text, lookup, options);
  if (word.ok() != words.ok() || (word.ok() && word->size() > options.max_output_bytes)) std::abort();
  const bool is_body = strata::dockerfile::ExpandHeredoc(text, lookup, options).ok();
  static_cast<void>(is_body);
  return 0;
}
