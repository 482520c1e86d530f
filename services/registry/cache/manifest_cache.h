// Manifests in memory, by what they were asked for, each valid while the store's counter of its repository stands still
// (lib/blobstore/generation_view.h). Without counters every request goes to the store. Bounded; what was used least recently goes.
//
// Thread-safe.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/call_context.h"
#include "lib/base/mutex.h"
#include "lib/blobstore/generation_view.h"
#include "lib/blobstore/ref_store.h"

namespace strata::registry {

class ManifestCache {
 public:
  // The counters now, whose IsAlive() was true when it was called; null: there are none.
  using Views = std::function<std::shared_ptr<const blobstore::GenerationView>()>;
  // Larger manifests are not kept.
  static constexpr size_t kMaxManifestBytes = 64 * 1024;

  // `refs` outlives this object. `max_bytes` of 0 keeps nothing.
  ManifestCache(blobstore::RefStore& refs, Views views, size_t max_bytes);

  // As RefStore::GetManifest(), except that a head may come with its content.
  absl::StatusOr<std::shared_ptr<const blobstore::StoredManifest>> Get(const CallContext& context, absl::string_view repository,
                                                                       const blobstore::ManifestReference& reference,
                                                                       bool head_only);

  uint64_t hits() const { return hits_.load(std::memory_order_relaxed); }
  uint64_t misses() const { return misses_.load(std::memory_order_relaxed); }
  size_t size_bytes() const;

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<const blobstore::StoredManifest> manifest;
    std::shared_ptr<const blobstore::GenerationView> view;
    uint64_t generation = 0;
    size_t size_bytes = 0;
  };
  struct Shard {
    mutable Mutex mutex;
    std::list<Entry> entries ABSL_GUARDED_BY(mutex);  // last used first
    absl::flat_hash_map<absl::string_view, std::list<Entry>::iterator> by_key ABSL_GUARDED_BY(mutex);
    size_t size_bytes ABSL_GUARDED_BY(mutex) = 0;
  };

  Shard& ShardOf(absl::string_view key);
  std::shared_ptr<const blobstore::StoredManifest> Find(absl::string_view key, const blobstore::GenerationView* view,
                                                        uint64_t generation);
  void Keep(Entry entry);
  static void Drop(Shard& shard, std::list<Entry>::iterator entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex);

  blobstore::RefStore& refs_;
  const Views views_;
  const size_t max_shard_bytes_;
  std::array<Shard, 16> shards_;
  std::atomic<uint64_t> hits_{0};
  std::atomic<uint64_t> misses_{0};
};

}  // namespace strata::registry
