// The empty files and folders that mounts need as their targets, made before a step and taken away after it.
//
// A layer must hold what the step did and nothing of ours. So each stub is created here, through a descriptor of its parent, and
// removed through the same descriptor when the step is over: nothing that the step renamed or linked can lead the removal
// elsewhere. What the step filled stays. A folder whose only change was our stub gets its old modification time back.
// Thread-compatible.
#pragma once

#include <sys/stat.h>
#include <time.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/unique_fd.h"
#include "services/builder/executor/root_dir.h"

namespace strata::executor {

enum class StubKind { kFile, kDirectory };

class MountStubs {
 public:
  // `root` must outlive this object.
  explicit MountStubs(const RootDir& root) : root_(root) {}
  MountStubs(const MountStubs&) = delete;
  MountStubs& operator=(const MountStubs&) = delete;
  ~MountStubs() { Remove(); }

  // Makes sure that `path`, which must come from RootDir::Resolve, exists, with its parents. What exists is left as it is.
  absl::Status Ensure(const std::string& path, StubKind kind);

  // Removes what Ensure() made and the step left empty. Idempotent.
  void Remove();

 private:
  struct Stub {
    UniqueFd parent;
    std::string name;
    StubKind kind = StubKind::kFile;
    dev_t device = 0;
    ino_t inode = 0;
    timespec parent_accessed = {};
    timespec parent_modified = {};   // before the stub was made
    timespec parent_afterwards = {}; // and after
  };

  absl::Status Create(UniqueFd parent, const std::string& name, StubKind kind);
  static void RemoveOne(const Stub& stub);

  const RootDir& root_;
  std::vector<Stub> stubs_;  // in the order of creation
};

// Creates the folders of `path` that are missing, for good: owner root, mode 0755. kInvalidArgument: something else is in the way.
absl::Status MakeDirectories(const RootDir& root, const std::string& path);

}  // namespace strata::executor
