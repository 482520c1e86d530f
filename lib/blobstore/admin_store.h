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

struct GarbageReport {
  int64_t blobs_removed = 0;
  int64_t bytes_reclaimed = 0;
};

class AdminStore {
 public:
  virtual ~AdminStore() = default;
  virtual absl::StatusOr<StoreStatistics> GetStatistics(const CallContext& context) = 0;
  // Removes what nothing refers to, at once instead of after the grace period.
  virtual absl::StatusOr<GarbageReport> CollectGarbage(const CallContext& context) = 0;
};

}  // namespace strata::blobstore
