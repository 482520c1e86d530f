// What a command may touch of the process around it; main.cc fills it in, tests give their own.
#pragma once

#include <functional>
#include <string>

#include "cli/progress/terminal_size.h"
#include "lib/base/cancellation.h"
#include "lib/base/clock.h"
#include "lib/bytes/byte_stream.h"

namespace strata::cli {

// Everything borrowed outlives the command.
struct Environment {
  ByteSource& input;                 // standard input
  ByteSink& output;                  // standard output: results only
  ByteSink& error;                   // standard error: progress, hints, errors
  bool input_is_terminal = false;
  bool output_is_terminal = false;
  bool error_is_terminal = false;
  std::function<const char*(const char*)> get_variable;
  std::function<TerminalSize()> terminal_size;
  const Clock& clock;
  Cancellation& interrupted;         // Ctrl-C or SIGTERM

  // "" when not set.
  std::string Variable(const char* name) const {
    const char* value = get_variable(name);
    return value == nullptr ? "" : value;
  }
};

}  // namespace strata::cli
