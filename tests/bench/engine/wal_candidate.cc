// The reference: values through the log into tables, as everything small goes.
#include <utility>

#include "tests/bench/engine/candidates.h"
#include "tests/bench/engine/put_candidate.h"

namespace strata::bench {

absl::StatusOr<std::unique_ptr<Candidate>> OpenWal(const std::string& path) {
  PutOptions options;
  options.reclaim.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
  return OpenPutCandidate(path, std::move(options));
}

}  // namespace strata::bench
