#include "services/builder/layer/whiteout.h"

#include "absl/strings/match.h"

namespace strata::layer {

bool IsOverlayXattr(absl::string_view xattr) {
  return absl::StartsWith(xattr, "trusted.overlay.") || absl::StartsWith(xattr, "user.overlay.");
}

}  // namespace strata::layer
