// One picture of the live view, as lines of text. Pure.
#pragma once

#include <string>
#include <vector>

#include "cli/progress/step_board.h"
#include "cli/progress/terminal_size.h"

namespace strata::cli {

struct FrameOptions {
  std::string title;
  bool utf8 = true;
  bool final = false;         // everything is shown, whatever the height; no output of steps that went well
  absl::Time started;
  absl::Time now;
  std::vector<std::string> warnings;
};

// At most size.rows - 1 lines (unless final), none wider than size.columns - 1. What runs or failed is shown before what is done, and
// what is done before what waits.
std::vector<std::string> DrawFrame(const StepBoard& board, const TerminalSize& size, const FrameOptions& options);

}  // namespace strata::cli
