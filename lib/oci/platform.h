// An operating system and processor: "linux/amd64", "linux/arm/v7". Spec: OCI image-spec image-index.md, "platform".
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace strata::oci {

struct Platform {
  std::string os;
  std::string architecture;
  std::string variant;     // "" is normal: "v8" of arm64 is dropped
  std::string os_version;  // informative

  // "os/arch[/variant]" or a bare architecture ("arm64"); names are normalised (x86_64 -> amd64, aarch64 -> arm64, armhf -> arm/v7).
  // kInvalidArgument: anything else.
  static absl::StatusOr<Platform> Parse(absl::string_view text);
  // Of this machine.
  static Platform Host();

  std::string ToString() const;  // "os/arch[/variant]"
  // Same os, architecture and variant.
  bool Matches(const Platform& other) const {
    return os == other.os && architecture == other.architecture && variant == other.variant;
  }
  bool operator==(const Platform&) const = default;
};

}  // namespace strata::oci
