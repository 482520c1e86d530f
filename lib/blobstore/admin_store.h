// Figures and collection, for operators. proto/strata/store/v1/admin.proto is the same on the wire. Thread-safe; calls block.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "lib/base/call_context.h"

namespace strata::blobstore {

struct StoreStatistics {
  int64_t blobs = 0;
  int64_t blob_bytes = 0;
  int64_t repositories = 0;
  int64_t manifests = 0;
  int64_t tags = 0;
  int64_t open_uploads = 0;
  int64_t cache_records = 0;
  int64_t cache_bytes = 0;  // of their values, and of the blobs they need, each once
  int64_t disk_free_bytes = 0;
  int64_t quarantined_blobs = 0;  // found damaged, not served until they are pushed again
  int64_t quota_refusals = 0;  // since the store was started
};

struct CollectOptions {
  bool dry_run = false;  // tell what would go, and change nothing
};

struct GarbageReport {
  int64_t blobs_removed = 0;
  int64_t bytes_reclaimed = 0;     // on the disk, of extents and small blobs that are gone; of a dry run: their sizes
  int64_t manifests_removed = 0;   // followed an index or a subject that was deleted
  // Nothing refers to these either, but a lease or the grace period holds them; a later run takes them. A blob counts for each
  // repository that leases it.
  int64_t blobs_later = 0;
  int64_t bytes_later = 0;
  int64_t objects_examined = 0;    // entries of the queue that were looked at: what the run cost
};

class AdminStore {
 public:
  virtual ~AdminStore() = default;
  virtual absl::StatusOr<StoreStatistics> GetStatistics(const CallContext& context) = 0;
  // Removes what nothing refers to, at once instead of after the grace period; leases hold, and so do manifests in their grace period.
  // kCancelled and kDeadlineExceeded leave the rest to a later run.
  virtual absl::StatusOr<GarbageReport> CollectGarbage(const CallContext& context, const CollectOptions& options = {}) = 0;
};

}  // namespace strata::blobstore
