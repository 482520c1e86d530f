#include "services/builder/dockerfile/warning.h"

#include <algorithm>

namespace strata::dockerfile {

bool CheckOptions::Skips(absl::string_view rule) const {
  return skip_all || std::find(skip.begin(), skip.end(), rule) != skip.end();
}

}  // namespace strata::dockerfile
