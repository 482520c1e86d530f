// What strata.store.v1.MaintenanceService and the metrics ask of the rooms that look after a store: their door. Thread-safe; calls block.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/base/call_context.h"
#include "lib/base/mutex.h"
#include "services/store/backup/backup.h"
#include "services/store/engine/core.h"
#include "services/store/scrub/scrubber.h"
#include "services/store/verify/verifier.h"

namespace strata::store {

struct MaintenanceStatus {
  int64_t disk_total_bytes = 0;
  int64_t disk_free_bytes = 0;   // behind the reserve
  int64_t quarantined = 0;
  int64_t collector_due = 0;     // counted up to 100000
  std::optional<absl::Time> collector_oldest_due;
  bool scrub_enabled = false;
  ScrubProgress scrub;
  std::optional<absl::Time> last_backup;
};

struct QuarantinedBlob {
  Digest digest;
  uint64_t size_bytes = 0;
  absl::Time since;
  std::string reason;
  std::vector<std::string> repositories;  // at most 100
  std::vector<std::string> named_by;      // "app@sha256:… 1.4 latest"; at most 100
  bool is_cached = false;
};

struct UploadSession {
  std::string upload_id;
  std::string repository;
  uint64_t offset_bytes = 0;
  absl::Time started;
  absl::Time last_write;
};

template <typename T>
struct ListPage {
  std::vector<T> items;
  bool has_more = false;
};

class Maintenance {
 public:
  // All outlive this object.
  Maintenance(const Core& core, const Scrubber& scrubber, Backups& backups) : core_(core), scrubber_(scrubber), backups_(backups) {}

  absl::StatusOr<MaintenanceStatus> Status();
  // kAborted: another one runs.
  absl::StatusOr<VerifySummary> Verify(const CallContext& context, bool is_deep, VerifyObserver& observer);
  absl::StatusOr<ListPage<QuarantinedBlob>> ListQuarantined(const std::optional<Digest>& last, int limit);
  absl::StatusOr<Examination> Recheck(const CallContext& context, const Digest& digest);
  absl::StatusOr<BackupSummary> Backup(const CallContext& context, absl::string_view name, int keep, const OnBackupProgress& on_progress);
  absl::StatusOr<ListPage<UploadSession>> ListUploads(absl::string_view last, int limit);

 private:
  const Core& core_;
  const Scrubber& scrubber_;
  Backups& backups_;
  Mutex mutex_;
  bool verifies_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace strata::store
