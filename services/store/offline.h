// `strata-store verify` and `strata-store restore`: what is done with a data folder that no store runs on.
#pragma once

namespace strata::store {

// The exit code: 0 sound or restored, 1 failed, 2 wrong usage, 4 there is no store or backup, 6 damage was found.
// argv[0] is the command's name. Findings and the result go to standard output, progress to standard error.
int RunVerify(int argc, const char* const* argv);
int RunRestore(int argc, const char* const* argv);

}  // namespace strata::store
