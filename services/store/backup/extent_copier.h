// Brings extents into another folder of the same layout: by hard links where that is sound and possible, else by copies.
//
// Sound: extents never change, so a file of the store may be shared. A file of an older copy is taken only if it has the size and the
// time of last change (to the nanosecond) of the store's own: ids may be given anew after an old backup was restored. Copies keep that time.
// Thread-compatible; calls block.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/base/call_context.h"
#include "lib/base/unique_fd.h"

namespace strata::store {

class ExtentCopier {
 public:
  // Makes `to` and its 256 folders. `older` are extents folders of copies that may not exist.
  static absl::StatusOr<std::unique_ptr<ExtentCopier>> Open(const std::string& from, const std::string& to, const std::vector<std::string>& older);

  // kDataLoss: the extent is missing or has another size. kResourceExhausted: the disk is full.
  absl::Status Copy(const CallContext& context, uint64_t id, uint64_t size_bytes);

  // Makes the names durable; the contents already are.
  absl::Status Sync();

  int64_t linked() const { return linked_; }
  int64_t bytes_copied() const { return bytes_copied_; }

 private:
  ExtentCopier() = default;
  absl::StatusOr<bool> Link(int from, const std::string& path);
  absl::Status CopyBytes(int from, const std::string& path, uint64_t size_bytes);

  UniqueFd from_;
  UniqueFd to_;
  std::vector<UniqueFd> older_;
  bool links_from_store_ = true;  // until the file system says no
  int64_t linked_ = 0;
  int64_t bytes_copied_ = 0;
};

// Syncs every file and folder in `path`, and `path`.
absl::Status SyncTree(const std::string& path);

}  // namespace strata::store
