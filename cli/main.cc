#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "cli/app.h"
#include "cli/interrupt.h"

namespace strata::cli {
namespace {

TerminalSize SizeOfTerminal() {
  winsize size = {};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
  return {.columns = size.ws_col, .rows = size.ws_row};
}

int Main(int argc, char** argv) {
  // gRPC's own remarks would mix with ours; whoever wants them sets this variable.
  ::setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  Cancellation interrupted;
  InterruptWatcher watcher(interrupted);
  SystemClock clock;
  InterruptibleSource input(STDIN_FILENO, interrupted);
  FdSink output(STDOUT_FILENO);
  FdSink error(STDERR_FILENO);
  Environment environment = {
      .input = input,
      .output = output,
      .error = error,
      .input_is_terminal = ::isatty(STDIN_FILENO) == 1,
      .output_is_terminal = ::isatty(STDOUT_FILENO) == 1,
      .error_is_terminal = ::isatty(STDERR_FILENO) == 1,
      .get_variable = [](const char* name) -> const char* { return ::getenv(name); },
      .terminal_size = SizeOfTerminal,
      .clock = clock,
      .interrupted = interrupted,
  };
  return static_cast<int>(RunApp(std::vector<std::string>(argv + 1, argv + argc), environment));
}

}  // namespace
}  // namespace strata::cli

int main(int argc, char** argv) { return strata::cli::Main(argc, argv); }
