// Copies of a store, made while it serves.
//
//   1. hold removals: extents that lose their last reference from now on stay until step 5
//   2. checkpoint of the metadata into <name>/.making/meta   (rows as of one moment; flushes the write buffers)
//   3. each extent that the checkpoint names: linked from the copy before this one or from the store, else copied and synced
//   4. everything synced, .making renamed to the time of day, the folder synced: the backup exists
//   5. removals go on; copies beyond `keep` are removed
//
// Whatever fails or crashes before step 4 leaves older copies as they were. The folder is the operator's (--backup-dir); a client chooses
// only a name in it. Thread-safe; one backup at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/base/call_context.h"
#include "lib/base/mutex.h"
#include "services/store/engine/core.h"

namespace strata::store {

struct BackupProgress {
  std::string stage;  // "facts", "extents", "syncing", "removing old"
  int64_t extents = 0;
  int64_t total_extents = 0;
  int64_t bytes = 0;
  int64_t total_bytes = 0;
};

struct BackupSummary {
  std::string path;
  int64_t extents = 0;
  int64_t extent_bytes = 0;
  int64_t extents_linked = 0;  // shared with the store or with an older copy
  int64_t bytes_copied = 0;
  int64_t removed_backups = 0;
};

// An error ends the backup and is returned.
using OnBackupProgress = std::function<absl::Status(const BackupProgress&)>;

class Backups {
 public:
  // `core` outlives this object. `folder` is absolute, or empty: there are no backups then. It is made when missing.
  Backups(const Core& core, std::string folder) : core_(core), folder_(std::move(folder)) {}

  // `name` is 1 to 64 of [A-Za-z0-9._-], not beginning with a dot; or a path that is `folder`, a slash and such a name.
  // `keep` copies of this name remain, this one counted.
  // kFailedPrecondition: no folder. kInvalidArgument: a bad name, or `keep` is not 1 to 1000. kAborted: another backup runs.
  // kResourceExhausted: the disk is full. kDataLoss: an extent is missing; the message names it.
  absl::StatusOr<BackupSummary> Make(const CallContext& context, absl::string_view name, int keep, const OnBackupProgress& on_progress);

  // When the last one was complete; absent: none since the process started.
  std::optional<absl::Time> last() const;

 private:
  absl::StatusOr<BackupSummary> MakeIn(const CallContext& context, const std::string& home, int keep, const OnBackupProgress& on_progress);

  const Core& core_;
  const std::string folder_;
  mutable Mutex mutex_;
  bool is_running_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Time> last_ ABSL_GUARDED_BY(mutex_);
};

// The newest complete copy in `path`, or `path` itself when it is a copy. kNotFound: there is none.
absl::StatusOr<std::string> FindBackup(const std::string& path);

}  // namespace strata::store
