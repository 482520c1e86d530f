// How many characters fit on the screen.
#pragma once

namespace strata::cli {

struct TerminalSize {
  int columns = 80;
  int rows = 24;
};

}  // namespace strata::cli
