// Blobs of 256 KiB, one after the other: what the last commits before 100, 1,000 and 4,000 blobs took, and what opening takes then.
#include <vector>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "tests/bench/engine/push.h"
#include "tests/bench/engine/scenario.h"
#include "tests/bench/engine/usage.h"

namespace strata::bench {

namespace {

constexpr uint64_t kBlobBytes = 256 * 1024;
constexpr uint64_t kLastCommits = 100;

absl::Status PushUpTo(const CandidateKind& kind, const std::string& path, uint64_t from, uint64_t to, const Teller& teller) {
  STRATA_ASSIGN_OR_RETURN(const std::unique_ptr<Candidate> candidate, kind.open(path));
  std::vector<double> commit_ms;
  const Stopwatch watch;
  for (uint64_t id = from + 1; id <= to; ++id) {
    STRATA_ASSIGN_OR_RETURN(const Pushed pushed, Push(*candidate, id, {.size_bytes = kBlobBytes}));
    if (id + kLastCommits > to) commit_ms.push_back(pushed.commit_seconds * 1e3);
  }
  teller.Tell("blobs/s", static_cast<double>(to - from) / watch.Seconds());
  teller.Tell("commit ms p50", Quantile(commit_ms, 0.5));
  teller.Tell("commit ms p99", Quantile(commit_ms, 0.99));
  return absl::OkStatus();
}

absl::Status OpenAgain(const CandidateKind& kind, const std::string& path, uint64_t blobs, const Teller& teller) {
  STRATA_ASSIGN_OR_RETURN(const int64_t anonymous_before, AnonymousBytes());
  const Stopwatch watch;
  STRATA_ASSIGN_OR_RETURN(const std::unique_ptr<Candidate> candidate, kind.open(path));
  teller.Tell("open ms", watch.Seconds() * 1e3);
  STRATA_ASSIGN_OR_RETURN(const int64_t anonymous, AnonymousBytes());
  teller.Tell("open MiB", static_cast<double>(anonymous - anonymous_before) / kMiB);
  STRATA_RETURN_IF_ERROR(CheckBlob(*candidate, 1, kBlobBytes));
  return CheckBlob(*candidate, blobs, kBlobBytes);
}

}  // namespace

absl::Status RunGrowth(const Bench& bench) {
  for (const CandidateKind& kind : bench.Keepers(/*with_large_only=*/false)) {
    STRATA_ASSIGN_OR_RETURN(const Folder folder, Folder::Make(bench, kind.name));
    uint64_t blobs = 0;
    for (const uint64_t mark : {100, 1000, 4000}) {
      const uint64_t until = std::max(blobs + 1, bench.Scaled(mark, 1));
      const std::string subject = absl::StrCat(kind.name, ", ", until);
      STRATA_RETURN_IF_ERROR(Measure(bench, "growth", subject,
                                     [&](const Teller& teller) { return PushUpTo(kind, folder.path(), blobs, until, teller); }));
      STRATA_RETURN_IF_ERROR(
          Measure(bench, "growth", subject, [&](const Teller& teller) { return OpenAgain(kind, folder.path(), until, teller); }));
      blobs = until;
    }
  }
  return absl::OkStatus();
}

}  // namespace strata::bench
