// The first line is a path, the rest an ignore file. A path that is taken back must be reachable by a walk that prunes.
#include <cstdint>
#include <cstdlib>

#include "absl/strings/string_view.h"
#include "lib/glob/ignore.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 8192) return 0;
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t end = input.find('\n');
  const absl::string_view path = input.substr(0, end);
  const auto matcher = strata::glob::IgnoreMatcher::Parse(end == absl::string_view::npos ? "" : input.substr(end + 1));
  if (!matcher.ok() || path.empty() || matcher->Matches(path)) return 0;
  for (size_t slash = path.find('/'); slash != absl::string_view::npos; slash = path.find('/', slash + 1)) {
    const absl::string_view folder = path.substr(0, slash);
    const bool has_name_below = slash + 1 < path.size();
    if (!folder.empty() && has_name_below && matcher->Matches(folder) && !matcher->MayReinclude(folder)) std::abort();
  }
  return 0;
}
