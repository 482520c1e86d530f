// Hashes files of a folder on a few threads while the folder is still being walked.
#pragma once

#include <sys/stat.h>

#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cli/context/build_context.h"
#include "lib/base/mutex.h"
#include "lib/base/unique_fd.h"

namespace strata::cli {

// Opens a regular file of a context by its path below `root_fd`, no link followed, and tells what it is at that moment.
// kAborted: it is not a regular file any more or is gone.
absl::StatusOr<UniqueFd> OpenContextFile(int root_fd, const std::string& path, struct stat& info);
// Modification time in nanoseconds.
int64_t MtimeNs(const struct stat& info);
absl::Status ChangedError(absl::string_view path);

// Add() and Finish() belong to one thread.
class FileHasher {
 public:
  // `root_fd` stays open as long as this object.
  FileHasher(int root_fd, int threads);
  ~FileHasher();

  // Will set size_bytes, mtime_ns and digest of `entry`, which the caller keeps in place. Blocks while the queue is full.
  void Add(ContextEntry& entry);
  // Waits for all of them; the first error, if there was one.
  absl::Status Finish();
  // Whether an error makes going on pointless.
  bool failed() const;

 private:
  void Work();
  absl::Status HashOne(ContextEntry& entry, char* buffer);

  const int root_fd_;
  std::vector<std::thread> threads_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::deque<ContextEntry*> queue_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace strata::cli
