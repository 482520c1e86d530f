#include "services/store/maintenance_metrics.h"

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/mutex.h"
#include "lib/log/log.h"

namespace strata::store {

namespace {

using Figures = std::vector<std::pair<std::string, int64_t>>;

struct Look {
  MaintenanceStatus status;
  Figures figures;
  absl::Time at;
};

// Shared by the callbacks, which live as long as the registry.
class Snapshot {
 public:
  Snapshot(const Core& core, Maintenance& maintenance) : core_(core), maintenance_(maintenance) {}

  // The last good status when the store cannot tell.
  Look Get() {
    const absl::Time now = absl::Now();
    {
      MutexLock lock(mutex_);
      if (now - look_.at < absl::Seconds(1)) return look_;
      look_.at = now;
    }
    const auto status = maintenance_.Status();
    Figures figures = core_.kv.Figures();
    MutexLock lock(mutex_);
    if (status.ok()) look_.status = *status;
    look_.figures = std::move(figures);
    return look_;
  }

 private:
  const Core& core_;
  Maintenance& maintenance_;
  Mutex mutex_;
  Look look_ ABSL_GUARDED_BY(mutex_) = {.status = {}, .figures = {}, .at = absl::InfinitePast()};
};

double Find(const Figures& figures, const std::string& name) {
  for (const auto& [found, value] : figures) {
    if (found == name) return static_cast<double>(value);
  }
  return 0;
}

double SecondsSince(std::optional<absl::Time> time, absl::Time now) { return time ? absl::ToDoubleSeconds(now - *time) : 0; }

}  // namespace

StoreMetrics::StoreMetrics(metrics::Registry& registry)
    : commit_seconds_(registry.AddHistogram("strata_store_commit_seconds", "Until a change of the metadata was durable.")),
      extent_sync_seconds_(registry.AddHistogram("strata_store_extent_sync_seconds", "Until the bytes of a large blob were durable.")),
      collector_runs_(registry.AddCounter("strata_store_gc_runs_total", "Runs of the collector that succeeded.")),
      collector_failures_(registry.AddCounter("strata_store_gc_failures_total", "Runs of the collector that failed.")),
      collected_blobs_(registry.AddCounter("strata_store_gc_blobs_total", "Blobs that the collector removed.")),
      collected_bytes_(registry.AddCounter("strata_store_gc_bytes_total", "Bytes of disk that the collector gave back.")),
      quarantines_(registry.AddCounter("strata_store_quarantines_total", "Blobs found damaged since the store started.")) {}

void StoreMetrics::Observe(EngineOptions& options) {
  options.on_synced_commit = [this](absl::Duration took) { commit_seconds_.Observe(took); };
  options.on_extent_sync = [this](absl::Duration took) { extent_sync_seconds_.Observe(took); };
  options.on_collected = [this](const blobstore::GarbageReport& report, const absl::Status& status) {
    (status.ok() ? collector_runs_ : collector_failures_).Add();
    collected_blobs_.Add(static_cast<uint64_t>(report.blobs_removed));
    collected_bytes_.Add(static_cast<uint64_t>(report.bytes_reclaimed));
  };
  options.on_quarantine = [this](const Digest& digest, absl::string_view reason) {
    quarantines_.Add();
    log::Error("blob damaged; it is not served until it is pushed again", {{"digest", digest.ToString()}, {"reason", reason}});
  };
}

void AddMaintenanceMetrics(metrics::Registry& registry, const Core& core, Maintenance& maintenance, const Scrubber& scrubber) {
  auto snapshot = std::make_shared<Snapshot>(core, maintenance);
  const auto add = [&](const char* name, const char* help, std::function<double(const Look&)> value) {
    registry.AddCallback(name, help, [snapshot, value = std::move(value)] { return value(snapshot->Get()); });
  };
  add("strata_store_disk_bytes", "Size of the disk under the data folder.", [](const Look& look) { return look.status.disk_total_bytes; });
  add("strata_store_gc_due", "Objects that the collector is to look at by now; counted up to 100000.",
      [](const Look& look) { return look.status.collector_due; });
  add("strata_store_gc_oldest_due_seconds", "For how long the oldest of them has waited.",
      [](const Look& look) { return SecondsSince(look.status.collector_oldest_due, look.at); });
  add("strata_store_last_backup_seconds", "Since the last complete backup of this process; 0: none yet.",
      [](const Look& look) { return SecondsSince(look.status.last_backup, look.at); });
  add("strata_store_scrub_cycle", "How often the scrubber went through the store, this time counted.",
      [](const Look& look) { return look.status.scrub.cycle; });
  add("strata_store_scrub_cycle_blobs", "Blobs read in this cycle.", [](const Look& look) { return look.status.scrub.blobs; });
  add("strata_store_scrub_cycle_bytes", "Bytes read in this cycle.", [](const Look& look) { return look.status.scrub.bytes; });
  add("strata_store_scrub_cycle_damaged", "Blobs found damaged in this cycle.", [](const Look& look) { return look.status.scrub.damaged; });
  add("strata_store_scrub_cycle_age_seconds", "Since this cycle began.", [](const Look& look) {
    return look.status.scrub.cycle == 0 ? 0 : absl::ToDoubleSeconds(look.at - look.status.scrub.started);
  });
  registry.AddCallback("strata_store_scrub_read_bytes", "Bytes that the scrubber has read since the store started.",
                       [&scrubber] { return static_cast<double>(scrubber.bytes_read()); });
  static constexpr std::pair<const char*, const char*> kFigures[] = {
      {"write_stopped", "1: writes wait for RocksDB."},
      {"delayed_write_bytes_per_second", "The rate that RocksDB slows writes down to; 0: it does not."},
      {"background_errors", "Flushes and compactions that failed."},
      {"pending_compaction_bytes", "What compaction has yet to rewrite."},
      {"memtable_bytes", "Memory of the write buffers."},
      {"block_cache_bytes", "Memory of the block cache."},
      {"table_bytes", "Disk of the metadata's tables."},
      {"running_compactions", "Compactions that run."},
      {"running_flushes", "Flushes that run."},
      {"log_bytes", "Disk of the write-ahead log."},
  };
  for (const auto& [name, help] : kFigures) {
    registry.AddCallback(absl::StrCat("strata_store_rocksdb_", name), help,
                         [snapshot, name = std::string(name)] { return Find(snapshot->Get().figures, name); });
  }
}

}  // namespace strata::store
