// The --chmod of COPY and ADD: octal, or symbolic as in chmod(1). Pure function.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace strata::filetree {

// The permission bits (07777) that `spec` makes of `mode` (an st_mode: X depends on its type). Without a who, as with "+x", all
// three are meant, whatever the umask. kInvalidArgument: neither octal of at most 07777 nor [ugoa]*([-+=][rwxXst]*)+,…
absl::StatusOr<uint32_t> ApplyChmod(absl::string_view spec, uint32_t mode);

}  // namespace strata::filetree
