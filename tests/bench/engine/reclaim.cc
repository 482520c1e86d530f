// 64 blobs of 16 MiB; every fourth, or every second, is removed. What came back at once, and what the engine had to do for the rest.
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "tests/bench/engine/push.h"
#include "tests/bench/engine/scenario.h"
#include "tests/bench/engine/usage.h"

namespace strata::bench {

namespace {

struct Shape {
  uint64_t blobs;
  uint64_t blob_bytes;
  uint64_t step;  // every how manyth is removed
};

absl::Status FillAndCompact(Candidate& candidate, const Shape& shape) {
  for (uint64_t id = 1; id <= shape.blobs; ++id) {
    STRATA_RETURN_IF_ERROR(Push(candidate, id, {.size_bytes = shape.blob_bytes}).status());
  }
  // From a state in which nothing is left to do, so that what follows is what removing costs.
  return candidate.Compact();
}

absl::Status RemoveEvery(const CandidateKind& kind, const std::string& path, const Shape& shape, const Teller& teller) {
  STRATA_ASSIGN_OR_RETURN(const std::unique_ptr<Candidate> candidate, kind.open(path));
  STRATA_RETURN_IF_ERROR(FillAndCompact(*candidate, shape));
  STRATA_ASSIGN_OR_RETURN(const Usage before, UsageNow(path));
  STRATA_ASSIGN_OR_RETURN(const int64_t allocated_before, AllocatedBytes(path));
  const double removed_bytes = static_cast<double>(shape.blobs / shape.step * shape.blob_bytes);
  const auto part_back = [&](int64_t allocated) {
    return static_cast<double>(allocated_before - allocated) / removed_bytes * 100;
  };

  const Stopwatch watch;
  for (uint64_t id = shape.step; id <= shape.blobs; id += shape.step) STRATA_RETURN_IF_ERROR(candidate->Remove(id));
  teller.Tell("remove s", watch.Seconds());
  STRATA_ASSIGN_OR_RETURN(const int64_t allocated_removed, AllocatedBytes(path));
  teller.Tell("back at once %", part_back(allocated_removed));
  const Stopwatch reclaim_watch;
  STRATA_RETURN_IF_ERROR(candidate->Reclaim());
  teller.Tell("reclaim s", reclaim_watch.Seconds());
  STRATA_ASSIGN_OR_RETURN(const int64_t allocated_after, AllocatedBytes(path));
  teller.Tell("back after reclaim %", part_back(allocated_after));
  STRATA_ASSIGN_OR_RETURN(const Usage after, UsageNow(path));
  teller.Tell("rewritten MiB", static_cast<double>((after - before).written_bytes) / kMiB);
  teller.Tell("CPU s", (after - before).cpu_seconds);

  for (uint64_t id = 1; id <= shape.blobs; ++id) {
    STRATA_RETURN_IF_ERROR(id % shape.step == 0 ? CheckAbsent(*candidate, id) : CheckBlob(*candidate, id, shape.blob_bytes));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status RunReclaim(const Bench& bench) {
  for (const uint64_t step : {4, 2}) {
    const Shape shape{bench.Scaled(64, 8), bench.ScaledBytes(16 * kMiB, kMiB), step};
    for (const CandidateKind& kind : bench.Keepers(/*with_large_only=*/false)) {
      STRATA_ASSIGN_OR_RETURN(const Folder folder, Folder::Make(bench, kind.name));
      STRATA_RETURN_IF_ERROR(Measure(bench, "reclaim", absl::StrCat(kind.name, ", 1/", step),
                                     [&](const Teller& teller) { return RemoveEvery(kind, folder.path(), shape, teller); }));
    }
  }
  return absl::OkStatus();
}

}  // namespace strata::bench
