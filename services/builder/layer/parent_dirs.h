// The directories that entries of a layer go into: found, or made, and remembered while the next entry needs the same one.
#pragma once

#include <time.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/unique_fd.h"
#include "services/builder/layer/lower_view.h"

namespace strata::layer {

class ParentDirs {
 public:
  struct Located {
    UniqueFd fd;           // O_PATH | O_DIRECTORY
    std::string physical;  // its clean path with all symlinks resolved
  };

  // Both must outlive this object.
  ParentDirs(int root_fd, const LowerView& lower, OverlayXattrs overlay_xattrs);

  // The directory `clean_path`, made with its parents when missing: as the lower layers have them, else 0755 and root's. Symlinks are
  // followed inside the root. The descriptor (O_PATH) is valid until the next call.
  // kFailedPrecondition: something on the way is no directory. kInvalidArgument: more than 40 symlinks.
  absl::StatusOr<int> Open(absl::string_view clean_path);
  // The same, slower, with where it really is.
  absl::StatusOr<Located> Locate(absl::string_view clean_path);

  // To be called when something that existed was removed: the remembered directory may be gone. It stays open until the next Open().
  void Forget() { is_current_ = false; }

  // Directories that were made here and the times they should have when all is done.
  const std::vector<std::pair<std::string, timespec>>& made() const { return made_; }

 private:
  absl::Status Make(int parent_fd, const std::string& name, const std::string& physical, bool over_whiteout);

  const int root_fd_;
  const LowerView& lower_;
  const std::string opaque_xattr_;
  UniqueFd last_;
  std::string last_path_;
  bool is_current_ = false;
  std::vector<std::pair<std::string, timespec>> made_;
};

}  // namespace strata::layer
