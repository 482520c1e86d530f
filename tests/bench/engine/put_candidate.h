// Values put into the memtable: what blobdb_candidate.cc and wal_candidate.cc have in common.
//
//   commit: values durable (the log synced, or the memtable flushed), then the record synced
//   remove: the record synced, whole tables dropped, the rest covered by a range deletion
#pragma once

#include <memory>
#include <string>

#include "tests/bench/engine/rocks_blobs.h"

namespace strata::bench {

struct PutOptions {
  rocksdb::ColumnFamilyOptions values = ValueFamilyOptions();
  bool uses_log = true;  // otherwise values are durable by a flush
  rocksdb::CompactRangeOptions reclaim;
};

absl::StatusOr<std::unique_ptr<Candidate>> OpenPutCandidate(const std::string& path, PutOptions options);

}  // namespace strata::bench
