// "key = value" lines; "#" at the start of a line or after a space begins a comment; values may stand in double quotes.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace strata::config {

struct ConfigLine {
  int number = 0;
  std::string key;
  std::string value;
};

// kInvalidArgument: "<name>:<line>: ..." for a line of another shape or a key twice.
absl::StatusOr<std::vector<ConfigLine>> ParseConfigText(absl::string_view name, absl::string_view text);

// Reads at most 1 MiB. kNotFound: no such file.
absl::StatusOr<std::vector<ConfigLine>> ReadConfigFile(const std::string& path);

}  // namespace strata::config
