// Pushes of 4 MiB blobs, first alone, then while a second thread removes as many old blobs and has their space reclaimed.
#include <algorithm>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/mutex.h"
#include "lib/base/status.h"
#include "tests/bench/engine/push.h"
#include "tests/bench/engine/scenario.h"
#include "tests/bench/engine/usage.h"

namespace strata::bench {

namespace {

constexpr uint64_t kBlobBytes = 4 * kMiB;
constexpr uint64_t kRemovedAReclaim = 16;

// Removes every second of blobs 1 to 2 * count, one for each that was pushed, and reclaims after sixteen. Thread-safe.
class Remover {
 public:
  // `candidate` outlives this object.
  Remover(Candidate& candidate, uint64_t count) : candidate_(candidate), count_(count), thread_([this] { status_ = Run(); }) {}
  ~Remover() {
    if (thread_.joinable()) End().IgnoreError();
  }

  void MayRemoveOneMore() {
    MutexLock lock(mutex_);
    allowed_ += 1;
    changed_.Signal();
  }
  // Waits until all that may be removed is removed and reclaimed.
  absl::Status End() {
    {
      MutexLock lock(mutex_);
      ending_ = true;
      changed_.Signal();
    }
    thread_.join();
    return status_;
  }

 private:
  // Whether there is another one to remove.
  bool WaitForLeave(uint64_t removed) {
    MutexLock lock(mutex_);
    while (allowed_ <= removed && !ending_) changed_.Wait(mutex_);
    return allowed_ > removed;
  }

  absl::Status Run() {
    uint64_t removed = 0;
    for (; removed < count_ && WaitForLeave(removed); ++removed) {
      STRATA_RETURN_IF_ERROR(candidate_.Remove(2 * (removed + 1)));
      if ((removed + 1) % kRemovedAReclaim == 0) STRATA_RETURN_IF_ERROR(candidate_.Reclaim());
    }
    return candidate_.Reclaim();
  }

  Candidate& candidate_;
  const uint64_t count_;
  Mutex mutex_;
  CondVar changed_;
  uint64_t allowed_ ABSL_GUARDED_BY(mutex_) = 0;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status status_;  // of the thread until it has ended
  std::thread thread_;   // last: it uses the rest
};

absl::Status PushMany(Candidate& candidate, uint64_t first_id, uint64_t count, Remover* remover, absl::string_view when,
                      const Teller& teller) {
  std::vector<double> commit_ms;
  const Stopwatch watch;
  for (uint64_t i = 0; i < count; ++i) {
    if (remover != nullptr) remover->MayRemoveOneMore();
    STRATA_ASSIGN_OR_RETURN(const Pushed pushed, Push(candidate, first_id + i, {.size_bytes = kBlobBytes}));
    commit_ms.push_back(pushed.commit_seconds * 1e3);
  }
  teller.Tell(absl::StrCat(when, " GB/s"), static_cast<double>(count * kBlobBytes) / 1e9 / watch.Seconds());
  teller.Tell(absl::StrCat(when, " commit ms p50"), Quantile(commit_ms, 0.5));
  teller.Tell(absl::StrCat(when, " commit ms p99"), Quantile(commit_ms, 0.99));
  return absl::OkStatus();
}

absl::Status PushAndRemove(const CandidateKind& kind, const std::string& path, uint64_t count, const Teller& teller) {
  STRATA_ASSIGN_OR_RETURN(const std::unique_ptr<Candidate> candidate, kind.open(path));
  const uint64_t old_blobs = 2 * count;
  for (uint64_t id = 1; id <= old_blobs; ++id) {
    STRATA_RETURN_IF_ERROR(Push(*candidate, id, {.size_bytes = kBlobBytes}).status());
  }
  STRATA_RETURN_IF_ERROR(candidate->WaitForBackgroundWork());
  STRATA_RETURN_IF_ERROR(PushMany(*candidate, old_blobs + 1, count, nullptr, "alone", teller));
  STRATA_RETURN_IF_ERROR(candidate->WaitForBackgroundWork());

  STRATA_ASSIGN_OR_RETURN(const Usage before, UsageNow(path));
  Remover remover(*candidate, count);
  STRATA_RETURN_IF_ERROR(PushMany(*candidate, old_blobs + count + 1, count, &remover, "removing", teller));
  const Stopwatch watch;
  STRATA_RETURN_IF_ERROR(remover.End());
  STRATA_RETURN_IF_ERROR(candidate->WaitForBackgroundWork());
  teller.Tell("s until all is back", watch.Seconds());
  STRATA_ASSIGN_OR_RETURN(const Usage after, UsageNow(path));
  teller.Tell("written/byte", static_cast<double>((after - before).written_bytes) / static_cast<double>(count * kBlobBytes));
  for (uint64_t id = 1; id <= old_blobs + 2 * count; ++id) {
    const bool is_removed = id <= old_blobs && id % 2 == 0;
    STRATA_RETURN_IF_ERROR(is_removed ? CheckAbsent(*candidate, id) : CheckBlob(*candidate, id, kBlobBytes));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status RunContention(const Bench& bench) {
  const uint64_t count = bench.Scaled(128, 4);
  for (const CandidateKind& kind : bench.Keepers(/*with_large_only=*/false)) {
    STRATA_ASSIGN_OR_RETURN(const Folder folder, Folder::Make(bench, kind.name));
    STRATA_RETURN_IF_ERROR(Measure(bench, "contention", kind.name,
                                   [&](const Teller& teller) { return PushAndRemove(kind, folder.path(), count, teller); }));
  }
  return absl::OkStatus();
}

}  // namespace strata::bench
