// Walks a directory tree in a fixed order: each directory before its content, names sorted by their bytes.
//
// Symlinks are reported, never followed. Two descriptors are open whatever the depth: the walk goes up by ".." and checks that it
// arrived where it came from, so a tree that someone rearranges meanwhile ends it with kAborted, not with a look outside.
#pragma once

#include <sys/stat.h>

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace strata::fs {

struct WalkEntry {
  const std::string& path;  // relative to the root of the walk, without leading slash
  const std::string& name;  // last component
  int parent_fd;            // directory that holds `name`; open during the callback only
  const struct stat& stat;  // of the entry itself
};

enum class WalkAction { kContinue, kSkipSubtree };

// Calls `enter` for everything below `root_fd` (not for the root). kSkipSubtree keeps it out of a directory. An error of the
// callback ends the walk and is returned.
absl::Status WalkTree(int root_fd, absl::FunctionRef<absl::StatusOr<WalkAction>(const WalkEntry&)> enter);
// Also calls `leave` for each directory that was entered, after all of its content.
absl::Status WalkTree(int root_fd, absl::FunctionRef<absl::StatusOr<WalkAction>(const WalkEntry&)> enter,
                      absl::FunctionRef<absl::Status(const WalkEntry&)> leave);

}  // namespace strata::fs
