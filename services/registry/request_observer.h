// What becomes of a request that is over: one line in the log, and the registry's metrics.
#pragma once

#include <array>

#include "lib/metrics/metrics.h"
#include "services/registry/routes/router.h"

namespace strata::registry {

// Thread-safe.
class RequestObserver {
 public:
  // `metrics` outlives the observer.
  explicit RequestObserver(metrics::Registry& metrics);

  // The line is "info"; "error" when the registry failed (5xx, or damaged content). Clients that hang up are no failure: some fetch
  // pieces by asking for more than they read.
  void Observe(const RequestRecord& record);

 private:
  static constexpr size_t kStatusClasses = 6;  // "5xx" is 5; 0 is all else
  struct PerEndpoint {
    std::array<metrics::Counter*, kStatusClasses> requests{};
    metrics::Histogram* seconds = nullptr;
  };

  std::array<PerEndpoint, kEndpoints + 1> endpoints_;  // the last one: paths that name nothing
  metrics::Counter& bytes_sent_;
  metrics::Counter& damaged_;
};

}  // namespace strata::registry
