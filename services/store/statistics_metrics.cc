#include "services/store/statistics_metrics.h"

#include <memory>

#include "lib/base/mutex.h"

namespace strata::store {

namespace {

// Shared by the callbacks, which live as long as the registry.
class Snapshot {
 public:
  explicit Snapshot(blobstore::AdminStore& admin) : admin_(admin) {}

  // The last good figures when the store cannot tell.
  blobstore::StoreStatistics Get() {
    const absl::Time now = absl::Now();
    {
      MutexLock lock(mutex_);
      if (now - taken_ < absl::Seconds(1)) return statistics_;
      taken_ = now;
    }
    const auto statistics = admin_.GetStatistics(CallContext());
    MutexLock lock(mutex_);
    if (statistics.ok()) statistics_ = *statistics;
    return statistics_;
  }

 private:
  blobstore::AdminStore& admin_;
  Mutex mutex_;
  absl::Time taken_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  blobstore::StoreStatistics statistics_ ABSL_GUARDED_BY(mutex_);
};

struct Figure {
  const char* name;
  const char* help;
  int64_t blobstore::StoreStatistics::*field;
};

constexpr Figure kFigures[] = {
    {"strata_store_blobs", "Blobs.", &blobstore::StoreStatistics::blobs},
    {"strata_store_blob_bytes", "Bytes of all blobs.", &blobstore::StoreStatistics::blob_bytes},
    {"strata_store_repositories", "Repositories.", &blobstore::StoreStatistics::repositories},
    {"strata_store_manifests", "Manifests and indexes.", &blobstore::StoreStatistics::manifests},
    {"strata_store_tags", "Tags.", &blobstore::StoreStatistics::tags},
    {"strata_store_open_uploads", "Upload sessions.", &blobstore::StoreStatistics::open_uploads},
    {"strata_store_cache_records", "Build-cache records.", &blobstore::StoreStatistics::cache_records},
    {"strata_store_quarantined_blobs", "Blobs that were found damaged and wait for another push.", &blobstore::StoreStatistics::quarantined_blobs},
    {"strata_store_cache_bytes", "Bytes of cache records and the blobs they need.", &blobstore::StoreStatistics::cache_bytes},
    {"strata_store_quota_refusals", "Pushes that a quota refused.", &blobstore::StoreStatistics::quota_refusals},
    {"strata_store_disk_free_bytes", "Free disk under the data folder.", &blobstore::StoreStatistics::disk_free_bytes},
};

}  // namespace

void AddStatisticsMetrics(metrics::Registry& metrics, blobstore::AdminStore& admin) {
  auto snapshot = std::make_shared<Snapshot>(admin);
  for (const Figure& figure : kFigures) {
    metrics.AddCallback(figure.name, figure.help,
                        [snapshot, field = figure.field] { return static_cast<double>(snapshot->Get().*field); });
  }
}

}  // namespace strata::store
