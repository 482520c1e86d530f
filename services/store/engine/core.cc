#include "services/store/engine/core.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "lib/base/status.h"
#include "lib/blobstore/blob_store.h"
#include "lib/oci/reference.h"
#include "services/store/engine/keyspace.h"
#include "services/store/engine/record.h"

namespace strata::store {

namespace {

constexpr uint64_t kIdBatch = 256;

absl::Status ReserveIds(KeyValueStore& kv, uint64_t* first) {
  return InTransaction(kv, Durability::kBuffered, [&](Transaction& transaction) -> absl::Status {
    STRATA_ASSIGN_OR_RETURN(const std::optional<std::string> row,
                            transaction.GetForUpdate(Table::kFacts, keys::NextBlobId(), LockMode::kExclusive));
    uint64_t next = 1;
    absl::string_view bytes = row ? absl::string_view(*row) : absl::string_view();
    if (row && !ConsumeU64(&bytes, &next)) return absl::DataLossError("metadata is damaged: the next blob id");
    *first = next;
    return transaction.Put(Table::kFacts, keys::NextBlobId(), EncodeU64(next + kIdBatch));
  });
}

}  // namespace

void RemovalHold::Begin() {
  MutexLock lock(mutex_);
  is_held_ = true;
}

std::vector<uint64_t> RemovalHold::End() {
  MutexLock lock(mutex_);
  is_held_ = false;
  return std::exchange(deferred_, {});
}

bool RemovalHold::Defer(uint64_t id) {
  MutexLock lock(mutex_);
  if (is_held_) deferred_.push_back(id);
  return is_held_;
}

absl::StatusOr<uint64_t> BlobIds::Next() {
  MutexLock lock(mutex_);
  if (next_ == end_) {
    // Not synced by itself: whatever names one of these ids is synced later, and the log keeps the order.
    STRATA_RETURN_IF_ERROR(ReserveIds(kv_, &next_));
    end_ = next_ + kIdBatch;
  }
  return next_++;
}

void RemovedExtents::Add(uint64_t id) {
  MutexLock lock(mutex_);
  ids_.push_back(id);
}

std::vector<uint64_t> RemovedExtents::TakeAll() {
  MutexLock lock(mutex_);
  return std::exchange(ids_, {});
}

absl::Status CheckRepository(absl::string_view name) {
  if (name == blobstore::kBuildRepository) return absl::OkStatus();
  return oci::ValidateRepository(name);
}

}  // namespace strata::store
