// The `strata` program without the process around it.
#pragma once

#include <string>
#include <vector>

#include "cli/environment.h"
#include "cli/exit_code.h"

namespace strata::cli {

// Runs the command that `arguments` (without the program's name) ask for. Results go to standard output; an error is printed to
// standard error, whole, and becomes the exit code.
ExitCode RunApp(const std::vector<std::string>& arguments, Environment& environment);

}  // namespace strata::cli
