// The variables of one stage: ENV and ARG in one ordered table, the later setting of a name counts. Value type.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace strata::frontend {

class Variables {
 public:
  void Set(absl::string_view name, absl::string_view value);
  std::optional<std::string> Get(absl::string_view name) const;
  // "K=V" in the order of first setting: what a command gets.
  std::vector<std::string> ToEnvironment() const;

 private:
  std::vector<std::pair<std::string, std::string>> entries_;
};

// Build arguments that every RUN gets without an ARG, and that are no part of cache key or history: HTTP_PROXY and its kin.
bool IsProxyArgument(absl::string_view name);

}  // namespace strata::frontend
