// The candidates by name.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/bench/engine/candidate.h"

namespace strata::bench {

// Opens or creates a store in folder `path`, whose parent exists. One file each: <name>_candidate.cc.
absl::StatusOr<std::unique_ptr<Candidate>> OpenNull(const std::string& path);    // keeps nothing: what reading and hashing cost
absl::StatusOr<std::unique_ptr<Candidate>> OpenExtent(const std::string& path);  // extent files, records in RocksDB
absl::StatusOr<std::unique_ptr<Candidate>> OpenSst(const std::string& path, uint64_t segment_bytes);  // ingested tables
absl::StatusOr<std::unique_ptr<Candidate>> OpenBlobDb(const std::string& path);  // BlobDB without a log, flushed at each commit
absl::StatusOr<std::unique_ptr<Candidate>> OpenWal(const std::string& path);     // plain Put through the log

struct CandidateKind {
  std::string name;
  std::function<absl::StatusOr<std::unique_ptr<Candidate>>(const std::string& path)> open;
  bool keeps_blobs = true;
  // Differs from the one before it for blobs larger than 64 MiB only.
  bool only_for_large_blobs = false;
};

const std::vector<CandidateKind>& AllCandidates();

}  // namespace strata::bench
