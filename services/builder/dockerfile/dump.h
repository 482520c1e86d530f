// A canonical text of a parsed Dockerfile: what the golden tests compare.   Pure function; testonly.
#pragma once

#include <string>

#include "services/builder/dockerfile/parser.h"

namespace strata::dockerfile {

std::string Dump(const Dockerfile& file);
std::string Dump(const Instruction& instruction);

}  // namespace strata::dockerfile
