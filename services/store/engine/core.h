// What the parts of the engine share, and the options it is opened with.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "lib/blobstore/admin_store.h"
#include "lib/digest/digest.h"
#include "services/store/engine/extents.h"
#include "services/store/engine/key_value.h"
#include "services/store/engine/open_sessions.h"
#include "services/store/engine/quotas.h"

namespace strata::store {

class Generations;

struct EngineOptions {
  std::string data_dir;                           // made when missing; its parent exists
  absl::Duration grace = absl::Hours(24);         // from losing the last reference to removal
  absl::Duration session_ttl = absl::Hours(24);   // idle upload sessions
  absl::Duration collect_every = absl::Minutes(1);
  int history_entries = 100;                      // a tag keeps of its history, and
  absl::Duration history_age = absl::Hours(24 * 90);  // how long
  int64_t max_sessions = 100'000;                 // open upload sessions
  int64_t max_sessions_a_repository = 10'000;
  int64_t cache_budget_bytes = 0;                 // of cache records and the blobs they need; 0: no limit
  int64_t cache_budget_records = 0;               // 0: no limit
  absl::Duration apply_retention_every = absl::Hours(1);
  int64_t reserved_bytes = 128 << 20;             // disk that uploads leave free
  Generations* generations = nullptr;             // counts changes for readers on this host; outlives the engine; null: nobody reads
  int max_large_writers = 128;                    // uploads over 32 KiB at the same moment; each takes 1 MiB of memory
  std::function<void(const Digest&, absl::string_view)> on_quarantine;  // a blob was found damaged, and why
  std::function<void(absl::Duration)> on_synced_commit;  // how long a transaction took to become durable
  std::function<void(absl::Duration)> on_extent_sync;    // how long an extent took to become durable
  std::function<void(const blobstore::GarbageReport&, const absl::Status&)> on_collected;  // after each run of the collector
  std::function<void(const absl::Status&)> on_background_error;  // of the collector's thread; it tries again later
  // Puts itself between the engine and its metadata: a test counts there, and brings its own rows.
  std::function<std::unique_ptr<KeyValueStore>(std::unique_ptr<KeyValueStore>)> wrap_metadata_for_test;
  // Called at every step of a commit, by name ("upload.synced"): a test dies there; and between steps of a read: a test changes
  // there what is read.
  std::function<void(absl::string_view)> commit_point_for_test;
};

// Hands out blob ids, never one twice, also after a crash: a batch is recorded before its first id is used. Thread-safe.
class BlobIds {
 public:
  // `kv` outlives this object.
  explicit BlobIds(KeyValueStore& kv) : kv_(kv) {}
  absl::StatusOr<uint64_t> Next();

 private:
  KeyValueStore& kv_;
  Mutex mutex_;
  uint64_t next_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t end_ ABSL_GUARDED_BY(mutex_) = 0;  // ids below are recorded as used
};

// While somebody holds it, extents that nothing needs any more stay: a backup copies what it saw. Thread-safe.
class RemovalHold {
 public:
  // One holder at a time.
  void Begin();
  // The extents to remove now.
  std::vector<uint64_t> End();
  // True: End() will return the id, leave the extent alone.
  bool Defer(uint64_t id);

 private:
  Mutex mutex_;
  bool is_held_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<uint64_t> deferred_ ABSL_GUARDED_BY(mutex_);
};

// Extents that are removed but may be back after a power loss: their doomed marks must stay until the removals are synced, which is
// done for many at once. Thread-safe.
class RemovedExtents {
 public:
  void Add(uint64_t id);
  std::vector<uint64_t> TakeAll();

 private:
  Mutex mutex_;
  std::vector<uint64_t> ids_ ABSL_GUARDED_BY(mutex_);
};

// Borrowed by every part; all members outlive them.
struct Core {
  KeyValueStore& kv;
  ExtentStore& extents;
  const Clock& clock;
  const EngineOptions& options;
  BlobIds& blob_ids;
  RemovalHold& removal_hold;
  RemovedExtents& removed_extents;
  OpenSessions& open_sessions;
  Quotas& quotas;

  void AtCommitPoint(absl::string_view name) const {
    if (options.commit_point_for_test) options.commit_point_for_test(name);
  }
};

// kInvalidArgument unless `name` is a repository name, or the builder's reserved one.
absl::Status CheckRepository(absl::string_view name);

}  // namespace strata::store
