// An upload of 96 MiB with a checkpoint every 8 MiB, killed between the eighth and the ninth; another process opens the store and finishes.
#include <signal.h>
#include <unistd.h>

#include "lib/base/status.h"
#include "tests/bench/engine/push.h"
#include "tests/bench/engine/scenario.h"
#include "tests/bench/engine/usage.h"

namespace strata::bench {

namespace {

constexpr uint64_t kId = 1;
constexpr char kAcknowledged[] = "acknowledged MiB";

absl::Status PushAndDie(const CandidateKind& kind, const std::string& path, uint64_t step, const Teller& teller) {
  STRATA_ASSIGN_OR_RETURN(const std::unique_ptr<Candidate> candidate, kind.open(path));
  PushOptions options{.size_bytes = 12 * step, .checkpoint_every_bytes = step};
  options.on_checkpoint = [&](uint64_t offset) { teller.Tell(kAcknowledged, static_cast<double>(offset) / kMiB); };
  options.on_written = [&](uint64_t offset) {
    if (offset > 8 * step + step / 2) ::kill(::getpid(), SIGKILL);
  };
  STRATA_RETURN_IF_ERROR(Push(*candidate, kId, options).status());
  return absl::InternalError("the child did not die");
}

absl::Status Finish(const CandidateKind& kind, const std::string& path, uint64_t step, const Teller& teller) {
  const uint64_t size = 12 * step;
  const Stopwatch watch;
  STRATA_ASSIGN_OR_RETURN(const std::unique_ptr<Candidate> candidate, kind.open(path));
  teller.Tell("open ms", watch.Seconds() * 1e3);
  uint64_t resumed_at = 0;
  STRATA_ASSIGN_OR_RETURN(const Pushed pushed,
                          ResumePush(*candidate, kId, {.size_bytes = size, .checkpoint_every_bytes = step}, &resumed_at));
  teller.Tell("resumed at MiB", static_cast<double>(resumed_at) / kMiB);
  if (pushed.checkpoints > 0) teller.Tell("checkpoint ms", pushed.checkpoint_seconds_total / pushed.checkpoints * 1e3);
  if (pushed.digest != DigestOfPayload(kId, size)) return absl::DataLossError("the resumed hash is not that of the payload");
  STRATA_RETURN_IF_ERROR(CheckBlob(*candidate, kId, size));
  STRATA_RETURN_IF_ERROR(candidate->Compact());
  STRATA_ASSIGN_OR_RETURN(const int64_t allocated, AllocatedBytes(path));
  teller.Tell("disk/byte after", static_cast<double>(allocated) / static_cast<double>(size));
  return absl::OkStatus();
}

}  // namespace

absl::Status RunResume(const Bench& bench) {
  const uint64_t step = bench.ScaledBytes(8 * kMiB, kMiB);
  for (const CandidateKind& kind : bench.Keepers(/*with_large_only=*/true)) {
    STRATA_ASSIGN_OR_RETURN(const Folder folder, Folder::Make(bench, kind.name));
    Measurements told;
    const absl::Status died =
        RunInChild([&](const Teller& teller) { return PushAndDie(kind, folder.path(), step, teller); }, &told);
    if (!absl::IsAborted(died)) return Annotate(died.ok() ? absl::InternalError("the child ended well") : died, "resume");
    bench.report->Add("resume", kind.name, kAcknowledged, Find(told, kAcknowledged, 0));
    STRATA_RETURN_IF_ERROR(
        Measure(bench, "resume", kind.name, [&](const Teller& teller) { return Finish(kind, folder.path(), step, teller); }));
  }
  return absl::OkStatus();
}

}  // namespace strata::bench
