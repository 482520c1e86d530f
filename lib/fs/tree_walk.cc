#include "lib/fs/tree_walk.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/fs/dir.h"

namespace strata::fs {
namespace {

// A directory that is being walked. Its descriptor is closed while the walk is below it.
struct Level {
  std::vector<DirEntry> entries;
  size_t next = 0;
  size_t path_size = 0;  // of the path of this directory
  std::string name;
  struct stat stat;  // of this directory
};

absl::Status WalkError(int error_number, absl::string_view path) {
  return ErrnoStatus(error_number, absl::StrCat("walk \"", absl::CHexEscape(path), "\""));
}

class Walker {
 public:
  Walker(absl::FunctionRef<absl::StatusOr<WalkAction>(const WalkEntry&)> enter, absl::FunctionRef<absl::Status(const WalkEntry&)> leave)
      : enter_(enter), leave_(leave) {}

  absl::Status Run(int root_fd) {
    UniqueFd root(::openat(root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root.is_valid()) return WalkError(errno, ".");
    STRATA_RETURN_IF_ERROR(Descend(std::move(root), ""));
    while (true) {
      Level& level = levels_.back();
      if (level.next < level.entries.size()) {
        STRATA_RETURN_IF_ERROR(Visit(level));
      } else if (levels_.size() == 1) {
        return absl::OkStatus();
      } else {
        STRATA_RETURN_IF_ERROR(Ascend());
      }
    }
  }

 private:
  absl::Status Visit(Level& level) {
    const std::string name = std::move(level.entries[level.next++].name);
    path_.resize(level.path_size);
    if (!path_.empty()) path_.push_back('/');
    path_.append(name);
    struct stat stat;
    if (::fstatat(current_.get(), name.c_str(), &stat, AT_SYMLINK_NOFOLLOW) != 0) {
      return errno == ENOENT ? absl::OkStatus() : WalkError(errno, path_);
    }
    STRATA_ASSIGN_OR_RETURN(const WalkAction action, enter_(WalkEntry{path_, name, current_.get(), stat}));
    if (!S_ISDIR(stat.st_mode) || action == WalkAction::kSkipSubtree) return absl::OkStatus();
    UniqueFd child(::openat(current_.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!child.is_valid()) return WalkError(errno, path_);
    return Descend(std::move(child), name);
  }

  absl::Status Descend(UniqueFd directory, const std::string& name) {
    Level level;
    if (::fstat(directory.get(), &level.stat) != 0) return WalkError(errno, path_);
    STRATA_ASSIGN_OR_RETURN(level.entries, ListDirectory(directory.get()));
    level.path_size = path_.size();
    level.name = name;
    levels_.push_back(std::move(level));
    current_ = std::move(directory);
    return absl::OkStatus();
  }

  absl::Status Ascend() {
    const Level left = std::move(levels_.back());
    levels_.pop_back();
    UniqueFd parent(::openat(current_.get(), "..", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    struct stat stat;
    if (!parent.is_valid() || ::fstat(parent.get(), &stat) != 0) return WalkError(errno, path_);
    if (stat.st_dev != levels_.back().stat.st_dev || stat.st_ino != levels_.back().stat.st_ino) {
      return absl::AbortedError(absl::StrCat("\"", absl::CHexEscape(path_.substr(0, left.path_size)), "\" was moved while its tree was walked"));
    }
    current_ = std::move(parent);
    path_.resize(left.path_size);
    return leave_(WalkEntry{path_, left.name, current_.get(), left.stat});
  }

  absl::FunctionRef<absl::StatusOr<WalkAction>(const WalkEntry&)> enter_;
  absl::FunctionRef<absl::Status(const WalkEntry&)> leave_;
  std::vector<Level> levels_;
  UniqueFd current_;  // the directory of levels_.back()
  std::string path_;
};

}  // namespace

absl::Status WalkTree(int root_fd, absl::FunctionRef<absl::StatusOr<WalkAction>(const WalkEntry&)> enter) {
  return WalkTree(root_fd, enter, [](const WalkEntry&) { return absl::OkStatus(); });
}

absl::Status WalkTree(int root_fd, absl::FunctionRef<absl::StatusOr<WalkAction>(const WalkEntry&)> enter,
                      absl::FunctionRef<absl::Status(const WalkEntry&)> leave) {
  return Walker(enter, leave).Run(root_fd);
}

}  // namespace strata::fs
