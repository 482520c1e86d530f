// One way of keeping large blobs, behind the smallest interface that all of them can serve. A blob is known by a number.
//
// What is promised is the same for all: when Checkpoint() or Commit() has returned, the bytes are on disk and a record that says so is
// too, in this order. Thread-safe, except that an Upload and a Reader belong to one thread at a time. Calls block.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace strata::bench {

// Destroying it without Commit leaves the blob at its last checkpoint.
class Upload {
 public:
  virtual ~Upload() = default;
  virtual absl::Status Write(absl::string_view data) = 0;
  // Everything written so far is durable, and `state` is what Resume() gives back with it.
  virtual absl::Status Checkpoint(absl::string_view state) = 0;
  // The same, and readable. `checksums` is of the content (piece_checksums.h); a candidate that has checksums of its own ignores it.
  virtual absl::Status Commit(absl::string_view checksums) = 0;
};

struct Resumed {
  std::unique_ptr<Upload> upload;
  uint64_t offset_bytes = 0;
  std::string state;
};

// A committed blob. It stays readable while the blob is removed.
class Reader {
 public:
  virtual ~Reader() = default;
  virtual uint64_t size_bytes() const = 0;
  // Fills `buffer` with verified bytes. kDataLoss: they are not there or damaged.
  virtual absl::Status ReadAt(uint64_t offset_bytes, char* buffer, size_t size) = 0;
};

class Candidate {
 public:
  virtual ~Candidate() = default;
  virtual absl::StatusOr<std::unique_ptr<Upload>> Begin(uint64_t id) = 0;
  // kNotFound: the blob has no checkpoint.
  virtual absl::StatusOr<Resumed> Resume(uint64_t id) = 0;
  // kNotFound: no committed blob has this number.
  virtual absl::StatusOr<std::unique_ptr<Reader>> Open(uint64_t id) = 0;
  virtual absl::Status Remove(uint64_t id) = 0;

  // Gets back what removed blobs still take, by whatever means the engine has. Removing alone is enough for some.
  virtual absl::Status Reclaim() = 0;
  // Returns when no flush and no compaction runs or waits.
  virtual absl::Status WaitForBackgroundWork() = 0;
  // Flushes and compacts everything as far as the engine finds that necessary.
  virtual absl::Status Compact() = 0;
};

}  // namespace strata::bench
