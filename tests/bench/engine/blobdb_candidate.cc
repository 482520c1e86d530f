// BlobDB: values in blob files, written once, by the flush that makes a commit durable. The log is off for them.
#include <utility>

#include "tests/bench/engine/candidates.h"
#include "tests/bench/engine/put_candidate.h"

namespace strata::bench {

absl::StatusOr<std::unique_ptr<Candidate>> OpenBlobDb(const std::string& path) {
  PutOptions options;
  options.values.enable_blob_files = true;
  options.values.min_blob_size = 4096;
  options.values.blob_compression_type = rocksdb::kNoCompression;
  options.values.enable_blob_garbage_collection = true;
  options.uses_log = false;
  // Nothing less gets space back: garbage is found only by compacting the keys, and by default only in the oldest quarter of the files.
  options.reclaim.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
  options.reclaim.blob_garbage_collection_policy = rocksdb::BlobGarbageCollectionPolicy::kForce;
  options.reclaim.blob_garbage_collection_age_cutoff = 1.0;
  return OpenPutCandidate(path, std::move(options));
}

}  // namespace strata::bench
