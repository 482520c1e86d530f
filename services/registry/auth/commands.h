// What operators run once, without a store: strata-registry keygen FOLDER, and strata-registry htpasswd USER.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "lib/config/parser.h"

namespace strata::registry {

// The commands' lines in --help.
void AddCommands(config::Parser& parser);
bool IsCommand(absl::string_view word);

// keygen FOLDER [ES256|RS256|EdDSA]: a new key, mode 0600, whose name sorts last; prints its path.
// htpasswd USER: reads the password from standard input and prints the line for the file.
// Returns the exit code; errors go to standard error.
int RunCommand(absl::string_view program, const std::vector<std::string>& words);

}  // namespace strata::registry
