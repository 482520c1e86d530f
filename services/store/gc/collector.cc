#include "services/store/gc/collector.h"

#include <optional>
#include <utility>

#include "lib/base/status.h"
#include "lib/blobstore/blob_store.h"
#include "services/store/engine/blob_table.h"
#include "services/store/engine/repository_table.h"
#include "services/store/engine/rows.h"
#include "services/store/engine/tag_history.h"

namespace strata::store {

using blobstore::GarbageReport;
using keys::Review;

absl::StatusOr<GarbageReport> Collector::RunOnce() {
  MutexLock lock(run_mutex_);
  GarbageReport report;
  const absl::Status status = HandleAll(/*only_due=*/true, &report);
  if (core_.options.on_collected) core_.options.on_collected(report, status);
  STRATA_RETURN_IF_ERROR(status);
  return report;
}

absl::StatusOr<GarbageReport> Collector::RunNow() {
  MutexLock lock(run_mutex_);
  GarbageReport report;
  const absl::Status status = HandleAll(/*only_due=*/false, &report);
  if (core_.options.on_collected) core_.options.on_collected(report, status);
  STRATA_RETURN_IF_ERROR(status);
  return report;
}

absl::Status Collector::HandleAll(bool only_due, GarbageReport* report) {
  STRATA_RETURN_IF_ERROR(sessions_.ExpireIdle().status());
  STRATA_RETURN_IF_ERROR(cache_.Trim().status());
  // In this order one run sees the consequences of the step before.
  STRATA_RETURN_IF_ERROR(HandleReviews(Review::Kind::kTagHistory, /*only_due=*/true, report));
  STRATA_RETURN_IF_ERROR(HandleReviews(Review::Kind::kLink, only_due, report));
  STRATA_RETURN_IF_ERROR(HandleReviews(Review::Kind::kRepository, only_due, report));
  return HandleReviews(Review::Kind::kBlob, only_due, report);
}

absl::Status Collector::HandleReviews(Review::Kind kind, bool only_due, GarbageReport* report) {
  const absl::Time now = core_.clock.Now();
  const std::unique_ptr<Cursor> cursor = core_.kv.Scan(Table::kFacts, keys::Reviews());
  for (; cursor->valid() && !IsStopping(); cursor->Next()) {
    STRATA_ASSIGN_OR_RETURN(const Review review, keys::ParseReview(cursor->key()));
    if (only_due && review.due > now) break;
    if (review.kind != kind) continue;
    const absl::Status status = HandleReview(std::string(cursor->key()), review, report);
    // Busy rows stay in the queue for the next run.
    if (!status.ok() && !absl::IsAborted(status)) return status;
  }
  return cursor->status();
}

absl::Status Collector::HandleReview(const std::string& key, const Review& review, GarbageReport* report) {
  switch (review.kind) {
    case Review::Kind::kLink: return ReviewLink(key, review);
    case Review::Kind::kRepository: return ReviewEmptyRepository(key, review);
    case Review::Kind::kBlob: return ReviewBlob(key, review, report);
    case Review::Kind::kTagHistory: return review.due > core_.clock.Now() ? absl::OkStatus() : PruneTagHistory(core_, review);
    case Review::Kind::kManifest: return absl::OkStatus();
  }
  return absl::DataLossError("metadata is damaged: a review of an unknown kind");
}

absl::Status Collector::ReviewLink(const std::string& key, const Review& review) {
  const absl::Time now = core_.clock.Now();
  return InTransaction(core_.kv, Durability::kBuffered, [&](Transaction& transaction) -> absl::Status {
    const bool is_build = review.repository == blobstore::kBuildRepository;
    // Keeps cache records from beginning to need the blob while we look.
    if (is_build) STRATA_RETURN_IF_ERROR(LockBlob(transaction, review.digest, LockMode::kExclusive).status());
    STRATA_ASSIGN_OR_RETURN(const std::optional<std::string> bytes,
                            transaction.GetForUpdate(Table::kFacts, keys::Link(review.repository, review.digest),
                                                     LockMode::kExclusive));
    if (!bytes) return transaction.Delete(Table::kFacts, key);
    STRATA_ASSIGN_OR_RETURN(const LinkRow link, LinkRow::Decode(*bytes));
    if (link.linked + core_.options.grace > now) {
      // Linked anew since, which left a later review; or we came early, then this one stays.
      return review.due > now ? absl::OkStatus() : transaction.Delete(Table::kFacts, key);
    }
    STRATA_RETURN_IF_ERROR(transaction.Delete(Table::kFacts, key));
    STRATA_ASSIGN_OR_RETURN(
        const bool is_named,
        HasRows(transaction, keys::EdgesTo(keys::Edge::kToBlob, review.repository, review.digest)));
    if (is_named) return absl::OkStatus();
    if (is_build) {
      STRATA_ASSIGN_OR_RETURN(const bool is_needed, HasRows(transaction, keys::CacheNeeds(review.digest)));
      if (is_needed) return absl::OkStatus();
    }
    STRATA_RETURN_IF_ERROR(ReviewRepository(core_, transaction, review.repository, /*due_now=*/true));
    return RemoveLink(core_, transaction, review.repository, review.digest, now);
  });
}

absl::Status Collector::ReviewEmptyRepository(const std::string& key, const Review& review) {
  return InTransaction(core_.kv, Durability::kBuffered, [&](Transaction& transaction) -> absl::Status {
    STRATA_RETURN_IF_ERROR(transaction.Delete(Table::kFacts, key));
    return ForgetRepositoryIfEmpty(transaction, review.repository);
  });
}

absl::Status Collector::ReviewBlob(const std::string& key, const Review& review, GarbageReport* report) {
  std::optional<BlobRow> removed;
  STRATA_RETURN_IF_ERROR(InTransaction(core_.kv, Durability::kSynced, [&](Transaction& transaction) -> absl::Status {
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
  report->blobs_removed += 1;
  if (removed->layout == Layout::kInline) {
    report->bytes_reclaimed += static_cast<int64_t>(removed->size_bytes);
    return absl::OkStatus();
  }
  STRATA_ASSIGN_OR_RETURN(const int64_t freed, RemoveDoomedExtent(core_, removed->id));
  report->bytes_reclaimed += freed;
  return absl::OkStatus();
}

bool Collector::IsStopping() const {
  MutexLock lock(mutex_);
  return stopping_;
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

void Collector::Loop() {
  while (true) {
    {
      MutexLock lock(mutex_);
      if (!stopping_) changed_.WaitFor(mutex_, core_.options.collect_every);
      if (stopping_) return;
    }
    const absl::StatusOr<GarbageReport> report = RunOnce();
    if (!report.ok() && core_.options.on_background_error) core_.options.on_background_error(report.status());
  }
}

}  // namespace strata::store
