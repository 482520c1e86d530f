#include "lib/oci/platform.h"

#include <sys/utsname.h>

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace strata::oci {

namespace {

void Normalise(Platform& platform) {
  std::string& arch = platform.architecture;
  if (arch == "x86_64" || arch == "x86-64") arch = "amd64";
  if (arch == "aarch64") arch = "arm64";
  if (arch == "i386" || arch == "i686") arch = "386";
  if (arch == "armhf" || arch == "armv7l") {
    arch = "arm";
    platform.variant = "v7";
  }
  if (arch == "armel") {
    arch = "arm";
    platform.variant = "v6";
  }
  if (arch == "arm" && platform.variant.empty()) platform.variant = "v7";
  if (arch == "arm64" && (platform.variant == "8" || platform.variant == "v8")) platform.variant.clear();
  if (arch == "amd64" && platform.variant == "v1") platform.variant.clear();
}

bool IsWord(absl::string_view text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.';
  });
}

}  // namespace

absl::StatusOr<Platform> Platform::Parse(absl::string_view text) {
  const std::vector<std::string> parts = absl::StrSplit(absl::AsciiStrToLower(text), '/');
  if (parts.size() > 3 || !std::all_of(parts.begin(), parts.end(), [](const std::string& p) { return IsWord(p); })) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text.substr(0, 80), "\" is not a platform; write os/architecture[/variant], such as linux/amd64"));
  }
  Platform platform;
  if (parts.size() == 1) {
    platform.os = "linux";
    platform.architecture = parts[0];
  } else {
    platform.os = parts[0];
    platform.architecture = parts[1];
    if (parts.size() == 3) platform.variant = parts[2];
  }
  Normalise(platform);
  return platform;
}

Platform Platform::Host() {
  Platform platform;
  platform.os = "linux";
  utsname name;
  platform.architecture = uname(&name) == 0 ? name.machine : "amd64";
  Normalise(platform);
  return platform;
}

std::string Platform::ToString() const {
  return variant.empty() ? absl::StrCat(os, "/", architecture) : absl::StrCat(os, "/", architecture, "/", variant);
}

}  // namespace strata::oci
