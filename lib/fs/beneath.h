// Opening paths that come from images, contexts and archives without ever leaving the directory they belong to.
//
// The kernel does the confinement (openat2(2), Linux 5.6): in a "root", absolute symlinks and ".." resolve as in a chroot;
// "beneath", a path that would leave fails. Magic links (/proc/self/fd/...) are never followed. Safe against concurrent
// changes of the tree by whoever owns it. All functions block and are thread-safe; paths are bytes, must not contain NUL.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/unique_fd.h"

namespace strata::fs {

struct Owner {
  uid_t uid = 0;
  gid_t gid = 0;
};

// Opens `path` as if `root_fd` were "/". "" and "/" are the root itself. O_CLOEXEC is added. `mode` only counts with O_CREAT.
// Errors: as ErrnoStatus(); kInvalidArgument for a path with NUL or a loop of symlinks, kFailedPrecondition when a directory is
// needed and something else is there.
absl::StatusOr<UniqueFd> OpenInRoot(int root_fd, absl::string_view path, int flags, mode_t mode = 0);

// Opens `path` relative to `dir_fd`; kPermissionDenied when it (or a symlink in it) leads outside. `follow_symlinks` false:
// any symlink in it fails with kInvalidArgument.
absl::StatusOr<UniqueFd> OpenBeneath(int dir_fd, absl::string_view path, int flags, mode_t mode = 0, bool follow_symlinks = true);

// Lexically clean form of a path inside a root: no leading or trailing slash, no ".", no empty component, ".." applied and
// stopped at the root; "" is the root.
std::string CleanPath(absl::string_view path);

struct ResolvedParent {
  UniqueFd parent;   // O_PATH | O_DIRECTORY
  std::string name;  // last component; never "", ".", ".." or with a slash
};
// Resolves everything but the last component of CleanPath(path), so that the last can be created, replaced or looked at without
// following it. kInvalidArgument: the path is the root. kNotFound: the parent does not exist.
absl::StatusOr<ResolvedParent> ResolveParent(int root_fd, absl::string_view path);

// Creates the directory `path` and its missing parents (symlinks to directories are followed inside the root); those created get
// `mode` whatever the umask, and `owner` if given. Returns the directory (O_RDONLY). kFailedPrecondition: a component exists and
// is no directory.
absl::StatusOr<UniqueFd> MkdirAllInRoot(int root_fd, absl::string_view path, mode_t mode, std::optional<Owner> owner = std::nullopt);

// What `path` is; its last component is not followed.
absl::StatusOr<struct stat> LstatInRoot(int root_fd, absl::string_view path);
// What `path` is, following symlinks inside the root.
absl::StatusOr<struct stat> StatInRoot(int root_fd, absl::string_view path);

// The target of the symlink `name` in `dir_fd`. kInvalidArgument: it is no symlink.
absl::StatusOr<std::string> ReadLinkAt(int dir_fd, absl::string_view name);

}  // namespace strata::fs
