// The WWW-Authenticate challenge of a registry. Spec: RFC 9110 section 11.6.1; distribution, "Token Authentication".
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace strata::distribution {

struct Challenge {
  std::string scheme;                             // lowercase: "bearer", "basic"
  std::map<std::string, std::string> parameters;  // lowercase names: "realm", "service", "scope", "error"

  std::string Get(const std::string& name) const {
    const auto found = parameters.find(name);
    return found == parameters.end() ? "" : found->second;
  }
};

// Parses one header value, which may carry several challenges. kInvalidArgument: malformed, or longer than 8 KiB.
absl::StatusOr<std::vector<Challenge>> ParseChallenges(absl::string_view value);

}  // namespace strata::distribution
