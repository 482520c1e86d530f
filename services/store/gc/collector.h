// Online collection, one object at a time: no scan of the store, no global lock, nobody waits.
//
// What a run costs follows from what is due, not from what is stored: the queue is read as far as it is due and no further.
//
// Whatever loses a reference leaves a review behind (blob_table.h), due after the grace period. The collector takes due reviews:
//
//   link review   no manifest of the repository names the blob (and, in the builder's repository, no cache record needs it)
//                 and the grace period since it was last linked is over   ──►  the link goes, the blob is reviewed at once
//   manifest review   manifest_removal.h: what lost its index or subject and has nothing else that names it goes, and leaves
//                 reviews of its blobs' links, of its children and of its referrers
//   tag history review   tag_history.h: entries that are too old go
//   repository review   it has neither links nor manifests                ──►  it is unknown again
//   blob review   no repository and no cache record refers to the blob    ──►  rows removed in one synced transaction that
//                 holds the blob's row lock, then the extent, then its mark. The rows of up to 64 blobs are synced together
//                 before the first of their extents is unlinked
//
// Whoever adds a reference meanwhile holds the row lock first or finds the blob gone. A link younger than the grace period is the
// lease of a push whose manifest has not arrived; RunNow() keeps it too.
//
// The background run rests after each object as long as the object took, so that it never has more than half of a core or of the
// disk's queue; a caller of RunNow() ends that and takes over. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/base/call_context.h"
#include "lib/base/mutex.h"
#include "lib/blobstore/admin_store.h"
#include "services/store/engine/cache_records.h"
#include "services/store/engine/core.h"
#include "services/store/engine/keyspace.h"
#include "services/store/gc/retention.h"
#include "services/store/ingest/upload_sessions.h"

namespace strata::store {

class Collector {
 public:
  // All outlive this object.
  Collector(const Core& core, UploadSessions& sessions, CacheRecords& cache, Retention& retention)
      : core_(core), sessions_(sessions), cache_(cache), retention_(retention),
        retention_due_(core.clock.Now() + core.options.apply_retention_every) {}
  ~Collector() { Stop(); }

  // Handles what is due by the clock, idle upload sessions and cache records beyond their budget too.
  absl::StatusOr<blobstore::GarbageReport> RunOnce();
  // The same without waiting for the grace period of blobs that nothing refers to, and without rests. The error of `context` when
  // it ends; what was done until then stays done.
  absl::StatusOr<blobstore::GarbageReport> RunNow(const CallContext& context);

  // RunOnce() every EngineOptions::collect_every, and the retention rules every apply_retention_every, in a thread, until Stop() or destruction.
  void Start();
  void Stop();

 private:
  // One run: what it was asked, what it has done, and the extents whose rows are gone and that are to go.
  struct Run {
    const CallContext* context = nullptr;  // null: the background run
    blobstore::GarbageReport report;
    std::vector<uint64_t> doomed;
  };

  // What a run ends in, also told to whoever counts runs.
  absl::StatusOr<blobstore::GarbageReport> Told(const absl::Status& status, const Run& run) const;
  absl::Status HandleAll(Run* run);
  absl::Status HandleReviews(keys::Review::Kind kind, Run* run);
  absl::Status HandleReview(const std::string& key, const keys::Review& review, Run* run);
  absl::Status ReviewLink(const std::string& key, const keys::Review& review, Run* run);
  absl::Status ReviewEmptyRepository(const std::string& key, const keys::Review& review);
  absl::Status ReviewBlob(const std::string& key, const keys::Review& review, Run* run);
  absl::Status RemoveDoomed(Run* run);
  // Whether the run goes on; an error: its caller went away.
  absl::StatusOr<bool> GoesOn(const Run& run) const;
  void Rest(const Run& run, absl::Duration length);
  absl::Status ApplyRetentionIfDue();
  void Loop();

  const Core& core_;
  UploadSessions& sessions_;
  CacheRecords& cache_;
  Retention& retention_;
  absl::Time retention_due_;  // of the thread
  Mutex run_mutex_;  // one run at a time
  std::atomic<int> waiting_{0};  // calls of RunNow()
  mutable Mutex mutex_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace strata::store
