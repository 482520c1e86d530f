// Online collection, one object at a time: no scan of the store, no global lock, nobody waits.
//
// Whatever loses a reference leaves a review behind (blob_table.h), due after the grace period. The collector takes due reviews:
//
//   link review   no manifest of the repository names the blob (and, in the builder's repository, no cache record needs it)
//                 and the grace period since it was last linked is over   ──►  the link goes, the blob is reviewed at once
//   repository review   it has neither links nor manifests                ──►  it is unknown again
//   blob review   no repository and no cache record refers to the blob    ──►  rows removed in one synced transaction that
//                 holds the blob's row lock, then the extent, then its mark
//
// Whoever adds a reference meanwhile holds the row lock first or finds the blob gone. A link younger than the grace period is the
// lease of a push whose manifest has not arrived; RunNow() keeps it too. Thread-safe.
#pragma once

#include <memory>
#include <thread>

#include "absl/status/statusor.h"
#include "lib/base/mutex.h"
#include "lib/blobstore/admin_store.h"
#include "services/store/engine/cache_records.h"
#include "services/store/engine/core.h"
#include "services/store/engine/keyspace.h"
#include "services/store/ingest/upload_sessions.h"

namespace strata::store {

class Collector {
 public:
  // All outlive this object.
  Collector(const Core& core, UploadSessions& sessions, CacheRecords& cache) : core_(core), sessions_(sessions), cache_(cache) {}
  ~Collector() { Stop(); }

  // Handles what is due by the clock, idle upload sessions and cache records beyond their budget too.
  absl::StatusOr<blobstore::GarbageReport> RunOnce();
  // The same without waiting for the grace period of blobs that nothing refers to.
  absl::StatusOr<blobstore::GarbageReport> RunNow();

  // RunOnce() every EngineOptions::collect_every in a thread, until Stop() or destruction.
  void Start();
  void Stop();

 private:
  absl::Status HandleReviews(keys::Review::Kind kind, bool only_due, blobstore::GarbageReport* report);
  absl::Status HandleAll(bool only_due, blobstore::GarbageReport* report);
  absl::Status HandleReview(const std::string& key, const keys::Review& review, blobstore::GarbageReport* report);
  absl::Status ReviewLink(const std::string& key, const keys::Review& review);
  absl::Status ReviewEmptyRepository(const std::string& key, const keys::Review& review);
  absl::Status ReviewBlob(const std::string& key, const keys::Review& review, blobstore::GarbageReport* report);
  bool IsStopping() const;
  void Loop();

  const Core& core_;
  UploadSessions& sessions_;
  CacheRecords& cache_;
  Mutex run_mutex_;  // one run at a time
  mutable Mutex mutex_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace strata::store
