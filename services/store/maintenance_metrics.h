// Figures for operators beyond the counts of statistics_metrics.h: how long commits and syncs take, what the collector and the
// scrubber do, how RocksDB is. docs/operations/store.md says which of them to alert on.
#pragma once

#include "lib/metrics/metrics.h"
#include "services/store/engine/core.h"
#include "services/store/maintenance.h"
#include "services/store/scrub/scrubber.h"

namespace strata::store {

// What the engine tells while it works. Outlives the engine; borrows `registry`, which outlives it.
class StoreMetrics {
 public:
  explicit StoreMetrics(metrics::Registry& registry);
  // Sets the callbacks of `options`; a quarantine is logged as well.
  void Observe(EngineOptions& options);

 private:
  metrics::Histogram& commit_seconds_;
  metrics::Histogram& extent_sync_seconds_;
  metrics::Counter& collector_runs_;
  metrics::Counter& collector_failures_;
  metrics::Counter& collected_blobs_;
  metrics::Counter& collected_bytes_;
  metrics::Counter& quarantines_;
};

// Gauges that are asked for at a scrape, at most once a second. All outlive the last Render().
void AddMaintenanceMetrics(metrics::Registry& registry, const Core& core, Maintenance& maintenance, const Scrubber& scrubber);

}  // namespace strata::store
