// Build-cache records, the blobs they keep alive, and their removal: by last use, and when they pass their budget.
//
// The account. The cache is charged the values of its records and every blob that a record needs, once, however many records need it and
// whether or not an image names it too: a row per needed blob counts its records, so that the sum changes in the transaction that
// changes the record, and costs nothing to read. docs/adr/0012 says why. Thread-safe; calls block.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "lib/blobstore/cache_store.h"
#include "lib/digest/digest.h"
#include "services/store/engine/core.h"

namespace strata::store {

class CacheRecords {
 public:
  // `core` outlives this object.
  explicit CacheRecords(const Core& core) : core_(core) {}

  // Notes the use, to a minute and without a sync.
  absl::StatusOr<std::string> Get(absl::string_view key);
  absl::Status Put(absl::string_view key, absl::string_view value, absl::Span<const Digest> needs);
  absl::StatusOr<blobstore::PruneReport> Prune(absl::Time unused_since, bool is_dry_run);
  // Removes the records that were not used for longest until the rest fits EngineOptions::cache_budget_*. Costs what it removes.
  absl::StatusOr<blobstore::PruneReport> Trim();

 private:
  // Removes the record if it was not used at `unused_since` or later. Adds to `report`.
  absl::Status Remove(absl::string_view key, absl::Time unused_since, blobstore::PruneReport* report);
  absl::StatusOr<blobstore::PruneReport> WhatPruneWouldRemove(absl::Time unused_since);
  absl::Status NoteUse(absl::string_view key);
  const Core& core_;
};

}  // namespace strata::store
