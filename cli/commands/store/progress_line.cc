#include "cli/commands/store/progress_line.h"

#include "absl/strings/str_cat.h"

namespace strata::cli {

void ProgressLine::Show(const std::string& stage, const std::string& detail) {
  if (invocation_.environment.error_is_terminal) {
    invocation_.Tell(absl::StrCat("\r\x1b[K", stage, ": ", detail));
    is_open_ = true;
  } else if (stage != stage_) {
    invocation_.Tell(absl::StrCat(stage, "\n"));
  }
  stage_ = stage;
}

void ProgressLine::End() {
  if (is_open_) invocation_.Tell("\r\x1b[K");
  is_open_ = false;
}

std::string OutOf(int64_t done, int64_t total) { return total > 0 ? absl::StrCat(done, " of ", total) : absl::StrCat(done); }

}  // namespace strata::cli
