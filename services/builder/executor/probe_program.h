// The smallest static program there is, for this machine's processor: it ends at once with exit code 0. Proves that a runtime works on a
// machine where nothing else could be run in an empty root.
#pragma once

#include <string>

namespace strata::executor {

// An ELF file.
std::string ProbeProgram();

}  // namespace strata::executor
