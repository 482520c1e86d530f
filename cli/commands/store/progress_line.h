// Progress of a long call on standard error: one line that changes on a terminal, else a line for each stage.
#pragma once

#include <string>

#include "cli/commands/command_line.h"

namespace strata::cli {

// Thread-compatible. `invocation` outlives it.
class ProgressLine {
 public:
  explicit ProgressLine(const Invocation& invocation) : invocation_(invocation) {}
  ~ProgressLine() { End(); }
  void Show(const std::string& stage, const std::string& detail);
  // Leaves the line, so that something else can be printed.
  void End();

 private:
  const Invocation& invocation_;
  std::string stage_;
  bool is_open_ = false;
};

// "12 of 300", "12".
std::string OutOf(int64_t done, int64_t total);

}  // namespace strata::cli
