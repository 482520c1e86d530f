#include "services/store/gc/collector.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "lib/base/status.h"
#include "lib/blobstore/blob_store.h"
#include "services/store/engine/blob_table.h"
#include "services/store/engine/manifest_removal.h"
#include "services/store/engine/repository_table.h"
#include "services/store/engine/rows.h"
#include "services/store/engine/tag_history.h"

namespace strata::store {

using blobstore::GarbageReport;
using keys::Review;

namespace {

constexpr size_t kSyncedAtOnce = 64;
constexpr absl::Duration kLongestRest = absl::Milliseconds(200);

}  // namespace

absl::StatusOr<GarbageReport> Collector::RunOnce() {
  MutexLock lock(run_mutex_);
  Run run;
  return Told(HandleAll(&run), run);
}

absl::StatusOr<GarbageReport> Collector::RunNow(const CallContext& context) {
  ++waiting_;
  MutexLock lock(run_mutex_);
  --waiting_;
  Run run;
  run.context = &context;
  return Told(HandleAll(&run), run);
}

absl::StatusOr<GarbageReport> Collector::Told(const absl::Status& status, const Run& run) const {
  if (core_.options.on_collected) core_.options.on_collected(run.report, status);
  STRATA_RETURN_IF_ERROR(status);
  return run.report;
}

absl::Status Collector::HandleAll(Run* run) {
  STRATA_RETURN_IF_ERROR(sessions_.ExpireIdle().status());
  STRATA_RETURN_IF_ERROR(cache_.Trim().status());
  // In this order one run sees the consequences of the step before.
  for (const Review::Kind kind : {Review::Kind::kTagHistory, Review::Kind::kManifest, Review::Kind::kLink,
                                  Review::Kind::kRepository, Review::Kind::kBlob}) {
    const absl::Status status = HandleReviews(kind, run);
    // Also after an error: the rows of these are gone.
    STRATA_RETURN_IF_ERROR(RemoveDoomed(run));
    STRATA_RETURN_IF_ERROR(status);
  }
  return ForgetRemovedExtents(core_);
}

absl::StatusOr<bool> Collector::GoesOn(const Run& run) const {
  if (run.context != nullptr) {
    STRATA_RETURN_IF_ERROR(run.context->Check());
    return true;
  }
  if (waiting_ > 0) return false;
  MutexLock lock(mutex_);
  return !stopping_;
}

absl::Status Collector::HandleReviews(Review::Kind kind, Run* run) {
  const absl::Time now = core_.clock.Now();
  const bool may_be_early = run->context != nullptr && kind != Review::Kind::kTagHistory && kind != Review::Kind::kManifest;
  // Not just a grace period ahead: it may have been longer when the review was put into the queue.
  const absl::Time last_due = may_be_early ? absl::InfiniteFuture() : now;
  const std::unique_ptr<Cursor> cursor = core_.kv.Scan(Table::kFacts, keys::Reviews());
  for (; cursor->valid(); cursor->Next()) {
    STRATA_ASSIGN_OR_RETURN(const Review review, keys::ParseReview(cursor->key()));
    if (review.due > last_due) break;
    if (review.kind != kind) continue;
    STRATA_ASSIGN_OR_RETURN(const bool goes_on, GoesOn(*run));
    if (!goes_on) break;
    ++run->report.objects_examined;
    const absl::Time began = absl::Now();
    absl::Status status = HandleReview(std::string(cursor->key()), review, run);
    if (status.ok() && run->doomed.size() >= kSyncedAtOnce) status = RemoveDoomed(run);
    // Busy rows stay in the queue for the next run.
    if (!status.ok() && !absl::IsAborted(status)) return status;
    Rest(*run, absl::Now() - began);
  }
  return cursor->status();
}

absl::Status Collector::HandleReview(const std::string& key, const Review& review, Run* run) {
  switch (review.kind) {
    case Review::Kind::kTagHistory: return PruneTagHistory(core_, review);
    case Review::Kind::kManifest: {
      STRATA_ASSIGN_OR_RETURN(const int64_t removed, CollectManifest(core_, review));
      run->report.manifests_removed += removed;
      return absl::OkStatus();
    }
    case Review::Kind::kLink: return ReviewLink(key, review, run);
    case Review::Kind::kRepository: return ReviewEmptyRepository(key, review);
    case Review::Kind::kBlob: return ReviewBlob(key, review, run);
  }
  return absl::DataLossError("metadata is damaged: a review of an unknown kind");
}

absl::Status Collector::ReviewLink(const std::string& key, const Review& review, Run* run) {
  const absl::Time now = core_.clock.Now();
  bool is_later = false;
  STRATA_RETURN_IF_ERROR(InTransaction(core_.kv, Durability::kBuffered, [&](Transaction& transaction) -> absl::Status {
    is_later = false;
    const bool is_build = review.repository == blobstore::kBuildRepository;
    // Keeps cache records from beginning to need the blob while we look.
    if (is_build) STRATA_RETURN_IF_ERROR(LockBlob(transaction, review.digest, LockMode::kExclusive).status());
    STRATA_ASSIGN_OR_RETURN(const std::optional<std::string> bytes,
                            transaction.GetForUpdate(Table::kFacts, keys::Link(review.repository, review.digest),
                                                     LockMode::kExclusive));
    if (!bytes) return transaction.Delete(Table::kFacts, key);
    STRATA_ASSIGN_OR_RETURN(const LinkRow link, LinkRow::Decode(*bytes));
    STRATA_ASSIGN_OR_RETURN(const bool is_needed, IsLinkNeeded(transaction, review.repository, review.digest));
    if (link.linked + core_.options.grace > now) {
      is_later = review.due > now && !is_needed;
      // We came early: this one stays. Otherwise it was linked anew since, or the grace period has become longer.
      if (review.due > now) return absl::OkStatus();
      STRATA_RETURN_IF_ERROR(transaction.Delete(Table::kFacts, key));
      Review again = review;
      again.due = link.linked + core_.options.grace;
      return transaction.Put(Table::kFacts, keys::ReviewKey(again), "");
    }
    STRATA_RETURN_IF_ERROR(transaction.Delete(Table::kFacts, key));
    if (is_needed) return absl::OkStatus();
    STRATA_RETURN_IF_ERROR(ReviewRepository(core_, transaction, review.repository, /*due_now=*/true));
    return RemoveLink(core_, transaction, review.repository, review.digest, now);
  }));
  if (!is_later) return absl::OkStatus();
  STRATA_ASSIGN_OR_RETURN(const std::optional<BlobRow> blob, FindBlob(core_.kv, review.digest));
  ++run->report.blobs_later;
  if (blob) run->report.bytes_later += static_cast<int64_t>(blob->size_bytes);
  return absl::OkStatus();
}

absl::Status Collector::ReviewEmptyRepository(const std::string& key, const Review& review) {
  return InTransaction(core_.kv, Durability::kBuffered, [&](Transaction& transaction) -> absl::Status {
    STRATA_RETURN_IF_ERROR(transaction.Delete(Table::kFacts, key));
    return ForgetRepositoryIfEmpty(transaction, review.repository);
  });
}

absl::Status Collector::ReviewBlob(const std::string& key, const Review& review, Run* run) {
  std::optional<BlobRow> removed;
  // Not synced here: RemoveDoomed() does it before anything goes that no log brings back.
  STRATA_RETURN_IF_ERROR(InTransaction(core_.kv, Durability::kBuffered, [&](Transaction& transaction) -> absl::Status {
    removed.reset();
    STRATA_ASSIGN_OR_RETURN(const std::optional<BlobRow> blob, LockBlob(transaction, review.digest, LockMode::kExclusive));
    STRATA_RETURN_IF_ERROR(transaction.Delete(Table::kFacts, key));
    if (!blob) return absl::OkStatus();
    STRATA_ASSIGN_OR_RETURN(const bool is_linked, HasRows(transaction, keys::LinksOfBlob(review.digest)));
    STRATA_ASSIGN_OR_RETURN(const bool is_needed, HasRows(transaction, keys::CacheNeeds(review.digest)));
    if (is_linked || is_needed) return absl::OkStatus();
    removed = blob;
    return RemoveBlobRows(transaction, review.digest, *blob);
  }));
  if (!removed) return absl::OkStatus();
  core_.AtCommitPoint("gc.rows_removed");
  run->report.blobs_removed += 1;
  if (removed->layout == Layout::kInline) {
    run->report.bytes_reclaimed += static_cast<int64_t>(removed->size_bytes);
  } else {
    run->doomed.push_back(removed->id);
  }
  return absl::OkStatus();
}

absl::Status Collector::RemoveDoomed(Run* run) {
  if (run->doomed.empty()) return absl::OkStatus();
  const std::vector<uint64_t> doomed = std::move(run->doomed);
  run->doomed.clear();
  // Says nothing new; when it is synced, so is everything that was logged before it.
  STRATA_RETURN_IF_ERROR(InTransaction(core_.kv, Durability::kSynced, [&](Transaction& transaction) {
    return transaction.Put(Table::kFacts, keys::DoomedExtent(doomed.front()), "");
  }));
  core_.AtCommitPoint("gc.rows_synced");
  for (const uint64_t id : doomed) {
    const absl::Time began = absl::Now();
    STRATA_ASSIGN_OR_RETURN(const int64_t freed, RemoveDoomedExtent(core_, id));
    run->report.bytes_reclaimed += freed;
    core_.AtCommitPoint("gc.extent_removed");
    Rest(*run, absl::Now() - began);
  }
  return absl::OkStatus();
}

void Collector::Rest(const Run& run, absl::Duration length) {
  if (run.context != nullptr || waiting_ > 0) return;
  MutexLock lock(mutex_);
  // Without a thread, as in tests, there is nobody to make room for.
  if (!stopping_ && thread_.joinable()) changed_.WaitFor(mutex_, std::min(length, kLongestRest));
}

void Collector::Start() {
  MutexLock lock(mutex_);
  if (thread_.joinable()) return;
  stopping_ = false;
  thread_ = std::thread([this] { Loop(); });
}

void Collector::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    changed_.SignalAll();
  }
  if (thread_.joinable()) thread_.join();
}

absl::Status Collector::ApplyRetentionIfDue() {
  if (core_.clock.Now() < retention_due_) return absl::OkStatus();
  retention_due_ = core_.clock.Now() + core_.options.apply_retention_every;
  const Run background;
  const Retention::Pace pace = {.goes_on = [&] { return GoesOn(background); },
                                .rest = [&](absl::Duration length) { Rest(background, length); }};
  return retention_.Apply({}, pace).status();
}

void Collector::Loop() {
  absl::Duration until_run = core_.options.collect_every;
  while (true) {
    const absl::Duration pause = std::min(until_run, core_.options.apply_retention_every);
    {
      MutexLock lock(mutex_);
      if (!stopping_) changed_.WaitFor(mutex_, pause);
      if (stopping_) return;
    }
    until_run -= pause;
    absl::Status collected;
    if (until_run <= absl::ZeroDuration()) {
      collected = RunOnce().status();
      until_run = core_.options.collect_every;
    }
    const absl::Status applied = ApplyRetentionIfDue();
    for (const absl::Status& status : {collected, applied}) {
      if (!status.ok() && core_.options.on_background_error) core_.options.on_background_error(status);
    }
  }
}

}  // namespace strata::store
