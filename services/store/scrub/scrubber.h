// Reads every blob again and again, slowly, so that damage is found while there still is another copy to heal from.
//
//   wait until a cycle is due ──► blobs in order of digest, a batch at a time ──► end of the cycle, note when ──┐
//              ▲                  (each batch: rows read, cursor dropped, contents read, place noted)           │
//              └────────────────────────────────────────────────────────────────────────────────────────────────┘
//
// The place is a row of the metadata: a restart goes on there (a blob that was half read is read again). One cycle in four hashes
// whole blobs, the others compare checksums, as does every read. Damage is read twice, then quarantined (content_check.h); the cycle goes on.
// The thread runs at idle disk priority and the lowest processor priority, at most at the given rate, past the page cache. Deletion
// under it is safe. Thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "lib/base/mutex.h"
#include "services/store/engine/core.h"
#include "services/store/scrub/content_check.h"

namespace strata::store {

struct ScrubOptions {
  int64_t bytes_per_second = 20 << 20;          // 0: Start() does nothing
  absl::Duration every = absl::Hours(24 * 30);  // from the start of a cycle to the start of the next
  int64_t deep_every = 4;                       // cycles
};

struct ScrubProgress {
  int64_t cycle = 0;  // 0: none has begun
  bool is_deep = false;
  absl::Time started;
  std::optional<absl::Time> ended;  // absent while a cycle runs
  int64_t blobs = 0;                // read in this cycle
  int64_t bytes = 0;
  int64_t damaged = 0;              // found in this cycle
  std::string place;                // the encoded digest read last

  std::string Encode() const;
  static absl::StatusOr<ScrubProgress> Decode(absl::string_view bytes);
};

class Scrubber {
 public:
  // `core` outlives this object.
  Scrubber(const Core& core, const ScrubOptions& options) : core_(core), options_(options) {}
  ~Scrubber() { Stop(); }

  bool is_enabled() const { return options_.bytes_per_second > 0; }
  // Call Start() at most once.
  void Start();
  void Stop();

  absl::StatusOr<ScrubProgress> Progress() const;
  // Over all cycles of this process.
  int64_t bytes_read() const;

  // Does what the thread does once: begins a cycle if one is due, reads one batch. Returns whether more is to be read now.
  absl::StatusOr<bool> Step();

 private:
  absl::StatusOr<bool> ReadBatch(ScrubProgress* progress);
  absl::Status ReadBlob(const std::string& key, absl::string_view value, ScrubProgress* progress);
  absl::Status Save(const ScrubProgress& progress);
  // Waits until `bytes` more may be read. kCancelled: stopping.
  absl::Status WaitFor(size_t bytes);
  // False: stopping.
  bool Rest(absl::Duration duration);
  void Loop();

  const Core& core_;
  const ScrubOptions options_;
  mutable Mutex mutex_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time next_read_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();  // by the machine's clock
  int64_t bytes_read_ ABSL_GUARDED_BY(mutex_) = 0;
  std::thread thread_;
};

}  // namespace strata::store
