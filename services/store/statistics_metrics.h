// The store's figures as gauges.
#pragma once

#include "lib/blobstore/admin_store.h"
#include "lib/metrics/metrics.h"

namespace strata::store {

// strata_store_blobs, strata_store_blob_bytes, and so on. A scrape asks the store at most once a second, whatever the number of
// gauges. `admin` outlives the last Render() of `metrics`.
void AddStatisticsMetrics(metrics::Registry& metrics, blobstore::AdminStore& admin);

}  // namespace strata::store
