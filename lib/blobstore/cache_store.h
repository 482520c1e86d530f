// Build-cache records and figures. proto/strata/store/v1/{cache,admin}.proto are the same on the wire. Thread-safe; calls block.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "lib/base/call_context.h"
#include "lib/digest/digest.h"

namespace strata::blobstore {

struct StoreStatistics {
  int64_t blobs = 0;
  int64_t blob_bytes = 0;
  int64_t repositories = 0;
  int64_t manifests = 0;
  int64_t tags = 0;
  int64_t open_uploads = 0;
  int64_t cache_records = 0;
  int64_t disk_free_bytes = 0;
};

struct GarbageReport {
  int64_t blobs_removed = 0;
  int64_t bytes_reclaimed = 0;
};

class CacheStore {
 public:
  virtual ~CacheStore() = default;

  // kNotFound: no record, or a blob it needs is gone.
  virtual absl::StatusOr<std::string> GetRecord(const CallContext& context, absl::string_view key) = 0;

  // Stores or replaces; keeps the blobs in `needs` alive as long as the record lives.
  // kInvalidArgument: key over 256 bytes, value over 1 MiB. kFailedPrecondition: a needed blob does not exist.
  virtual absl::Status PutRecord(const CallContext& context, absl::string_view key, absl::string_view value,
                                 absl::Span<const Digest> needs) = 0;

  // Returns how many records went.
  virtual absl::StatusOr<int64_t> PruneRecords(const CallContext& context, absl::Time unused_since) = 0;
};

class AdminStore {
 public:
  virtual ~AdminStore() = default;
  virtual absl::StatusOr<StoreStatistics> GetStatistics(const CallContext& context) = 0;
  // Removes what nothing refers to, at once instead of after the grace period.
  virtual absl::StatusOr<GarbageReport> CollectGarbage(const CallContext& context) = 0;
};

}  // namespace strata::blobstore
