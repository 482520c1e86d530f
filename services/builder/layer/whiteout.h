// How a deletion is spelled: in a layer tar by names, in an overlayfs directory by device nodes and attributes.
// Spec: OCI image-spec, layer.md, "Whiteouts"; Linux Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories".
#pragma once

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <string>

#include "absl/strings/string_view.h"

namespace strata::layer {

inline constexpr absl::string_view kWhiteoutPrefix = ".wh.";
inline constexpr absl::string_view kOpaqueName = ".wh..wh..opq";
inline constexpr absl::string_view kWhiteoutMetaPrefix = ".wh..wh.";  // other things that AUFS once left in layers

// Where overlayfs keeps its marks: "trusted.overlay." needs CAP_SYS_ADMIN; mounts with -o userxattr use "user.overlay.".
enum class OverlayXattrs { kTrusted, kUser };

inline std::string OverlayXattr(OverlayXattrs kind, absl::string_view name) {
  std::string xattr = kind == OverlayXattrs::kTrusted ? "trusted.overlay." : "user.overlay.";
  xattr.append(name.data(), name.size());
  return xattr;
}

// Whether `xattr` belongs to overlayfs, in either namespace; such attributes never enter or leave a layer.
bool IsOverlayXattr(absl::string_view xattr);

inline bool IsWhiteoutDevice(const struct stat& stat) { return S_ISCHR(stat.st_mode) && stat.st_rdev == makedev(0, 0); }

}  // namespace strata::layer
