// What earlier builds found out, kept in the store, so that every builder has it at once.
//
// Two kinds of record: the layer that a step with this key added, and the content digest that a selection of files had. Keys are
// content-derived: they name an operation and the chain IDs of what it ran on, never times or machines.
// Layout of the values: docs/formats/cache-record.md. Thread-safe; calls block.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/call_context.h"
#include "lib/blobstore/cache_store.h"
#include "services/builder/snapshot/snapshot_store.h"

namespace strata::cache {

class StepCache {
 public:
  // `store` must outlive this object.
  explicit StepCache(blobstore::CacheStore& store) : store_(store) {}

  // Absent: no such record, or one written by a newer builder.
  absl::StatusOr<std::optional<snapshot::Layer>> FindLayer(const CallContext& context, absl::string_view key);
  // The layer's blob must be in the store: the record keeps it alive.
  absl::Status PutLayer(const CallContext& context, absl::string_view key, const snapshot::Layer& layer);

  absl::StatusOr<std::optional<Digest>> FindContent(const CallContext& context, absl::string_view key);
  absl::Status PutContent(const CallContext& context, absl::string_view key, const Digest& content);

 private:
  blobstore::CacheStore& store_;
};

}  // namespace strata::cache
