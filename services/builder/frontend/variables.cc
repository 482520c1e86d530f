#include "services/builder/frontend/variables.h"

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace strata::frontend {

void Variables::Set(absl::string_view name, absl::string_view value) {
  for (auto& entry : entries_) {
    if (entry.first == name) {
      entry.second = std::string(value);
      return;
    }
  }
  entries_.emplace_back(std::string(name), std::string(value));
}

std::optional<std::string> Variables::Get(absl::string_view name) const {
  for (const auto& entry : entries_) {
    if (entry.first == name) return entry.second;
  }
  return std::nullopt;
}

std::vector<std::string> Variables::ToEnvironment() const {
  std::vector<std::string> environment;
  for (const auto& [name, value] : entries_) environment.push_back(absl::StrCat(name, "=", value));
  return environment;
}

bool IsProxyArgument(absl::string_view name) {
  static constexpr std::array<absl::string_view, 5> kNames = {"http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy"};
  const std::string lower = absl::AsciiStrToLower(name);
  const bool one_case = name == lower || name == absl::AsciiStrToUpper(name);
  return one_case && std::find(kNames.begin(), kNames.end(), lower) != kNames.end();
}

}  // namespace strata::frontend
