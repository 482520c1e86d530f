// Build-cache records. proto/strata/store/v1/cache.proto is the same on the wire. Thread-safe; calls block.
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

// What pruning took away, or would take.
struct PruneReport {
  int64_t records = 0;
  int64_t bytes = 0;  // of their values, and of the blobs that no other record needs
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

  // Removes the records last used before `unused_since`; a dry run only tells what that would be.
  virtual absl::StatusOr<PruneReport> PruneRecords(const CallContext& context, absl::Time unused_since, bool is_dry_run = false) = 0;
};

}  // namespace strata::blobstore
