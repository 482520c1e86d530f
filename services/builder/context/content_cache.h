// Files of build contexts on this builder's disk, by digest, so that an unchanged file is not sent twice.
//
// A cache: nothing here is the only copy of anything, nothing is synced, and an empty folder is a valid start. Content is verified
// against its digest before it gets its name. Thread-safe; calls block.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/unique_fd.h"
#include "lib/digest/digest.h"
#include "lib/digest/hasher.h"

namespace strata::context {

class ContentCache {
 public:
  // One file being received. Destroying it uncommitted discards it.
  class Incoming {
   public:
    ~Incoming();
    Incoming(const Incoming&) = delete;
    Incoming& operator=(const Incoming&) = delete;
    // kResourceExhausted: the disk is full, or more bytes than were announced.
    absl::Status Append(absl::string_view data);
    // Gives the file its name. kInvalidArgument: the bytes are not those that `digest` and the announced size promise.
    absl::Status Commit();

   private:
    friend class ContentCache;
    Incoming(ContentCache& cache, Digest digest, int64_t size_bytes, UniqueFd fd, std::string path);
    ContentCache& cache_;
    const Digest digest_;
    const int64_t size_bytes_;
    UniqueFd fd_;
    std::string path_;  // empty once renamed
    Hasher hasher_;
  };

  // Creates `root` when missing and removes what a crash left half received.
  static absl::StatusOr<std::unique_ptr<ContentCache>> Open(const std::string& root, int64_t max_bytes);

  bool Has(const Digest& digest) const;
  // kNotFound.
  absl::StatusOr<UniqueFd> OpenFile(const Digest& digest) const;
  absl::StatusOr<std::unique_ptr<Incoming>> Begin(const Digest& digest, int64_t size_bytes);
  // Removes least recently used files until at most max_bytes are left. Called between builds; files in use stay readable.
  absl::Status Trim();

 private:
  ContentCache(std::string root, int64_t max_bytes) : root_(std::move(root)), max_bytes_(max_bytes) {}
  std::string PathOf(const Digest& digest) const;

  const std::string root_;
  const int64_t max_bytes_;
};

}  // namespace strata::context
