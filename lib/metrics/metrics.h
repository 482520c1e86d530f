// Counters, gauges and histograms, and their text exposition. Spec: Prometheus text format 0.0.4.
//
//   metrics::Registry registry;
//   metrics::Counter& requests = registry.AddCounter("strata_store_calls_total", "Calls served.", {{"method", "ReadBlob"}});
//   requests.Add();
//   registry.Render();
//
// A metric with other labels is another metric; the same name, kind and labels give the same object. References stay valid as
// long as the registry. Everything is thread-safe; Add, Set and Observe take no lock. Names and labels are chosen by the
// program, never by a peer: each distinct set of labels is kept for ever.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "lib/base/mutex.h"

namespace strata::metrics {

using Labels = std::vector<std::pair<std::string, std::string>>;

// Only grows.
class Counter {
 public:
  void Add(uint64_t by = 1) { value_.fetch_add(by, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

class Gauge {
 public:
  void Set(int64_t value) { value_.store(value, std::memory_order_relaxed); }
  void Add(int64_t by) { value_.fetch_add(by, std::memory_order_relaxed); }
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

// Counts what is at most each bound.
class Histogram {
 public:
  explicit Histogram(std::vector<double> bounds);
  void Observe(double value);
  void Observe(absl::Duration value) { Observe(absl::ToDoubleSeconds(value)); }

  const std::vector<double>& bounds() const { return bounds_; }
  // How many fell in (bounds[i-1], bounds[i]]; the last one is all above.
  uint64_t count_in(size_t bucket) const { return counts_[bucket].load(std::memory_order_relaxed); }
  double sum() const { return sum_.load(std::memory_order_relaxed); }

 private:
  const std::vector<double> bounds_;
  std::vector<std::atomic<uint64_t>> counts_;
  std::atomic<double> sum_{0};
};

// Seconds, from 100 microseconds to a minute.
std::vector<double> LatencyBounds();

// Observes the time from its construction to its end.
class Timer {
 public:
  explicit Timer(Histogram& histogram) : histogram_(histogram) {}
  ~Timer() { histogram_.Observe(absl::Now() - start_); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

 private:
  Histogram& histogram_;
  const absl::Time start_ = absl::Now();
};

class Registry {
 public:
  Counter& AddCounter(absl::string_view name, absl::string_view help, Labels labels = {});
  Gauge& AddGauge(absl::string_view name, absl::string_view help, Labels labels = {});
  // `bounds` must ascend; those of the first call for a name count.
  Histogram& AddHistogram(absl::string_view name, absl::string_view help, Labels labels = {},
                          std::vector<double> bounds = LatencyBounds());
  // A gauge whose value is asked for at each Render(). The callback must stay callable as long as the registry, may block
  // briefly, and runs without a lock.
  void AddCallback(absl::string_view name, absl::string_view help, std::function<double()> value, Labels labels = {});

  std::string Render() const;

 private:
  enum class Kind { kCounter, kGauge, kHistogram };
  struct Metric {
    Counter counter;
    Gauge gauge;
    std::unique_ptr<Histogram> histogram;
    std::function<double()> callback;
  };
  struct Family {
    std::string help;
    Kind kind = Kind::kCounter;
    std::map<std::string, std::shared_ptr<Metric>> metrics;  // by rendered labels; shared with a Render() under way
  };
  Metric& Find(absl::string_view name, absl::string_view help, Kind kind, const Labels& labels,
               const std::function<void(Metric&)>& initialise);
  static void RenderFamily(const std::string& name, const Family& family, std::string& out);

  mutable Mutex mutex_;
  std::map<std::string, Family> families_ ABSL_GUARDED_BY(mutex_);
};

// Memory, processor time, open descriptors and threads of this process, under the usual names ("process_resident_memory_bytes").
void AddProcessMetrics(Registry& registry);

}  // namespace strata::metrics
