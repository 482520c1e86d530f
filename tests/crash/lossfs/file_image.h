// The bytes of one file, twice: as a running program sees them, and as a disk would give them back after the power went.
//
// Writes and truncations change the first at once. Sync() carries them to the second. PowerCut() lets a random choice of the
// changes since then survive, the way write-back does: none of them, a prefix with a torn write at its end, any subset with
// single sectors missing and sizes that grew without their bytes (zeros), or all. A sector of 512 bytes is old or new, never mixed.
// Thread-compatible.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace strata::lossfs {

using Random = std::mt19937_64;

class FileImage {
 public:
  uint64_t size_bytes() const { return current_.size(); }
  bool has_unsynced() const { return !unsynced_.empty(); }

  // The bytes of [offset, offset + size) that there are; valid until the next change.
  absl::string_view Read(uint64_t offset, uint64_t size) const;
  void Write(uint64_t offset, absl::string_view data);
  void Truncate(uint64_t size_bytes);

  // fsync: everything up to here is on the disk.
  void Sync();
  // An fsync that failed: the running program goes on seeing what it wrote, no later fsync brings it to the disk.
  void FailSync();
  // What a reader finds after the power came back is decided by `random`.
  void PowerCut(Random& random);

 private:
  struct Change {
    enum class Kind { kWrite, kTruncate };
    Kind kind = Kind::kWrite;
    uint64_t offset = 0;  // or the new size
    std::string data;
    bool is_lost = false;  // by FailSync()
  };

  static void Apply(const Change& change, std::string* image);
  void SurvivePrefix(Random& random);
  void SurviveSubset(Random& random);

  std::string current_;
  std::string durable_;
  std::vector<Change> unsynced_;  // in order; durable_ and these make current_, unless some were lost
};

}  // namespace strata::lossfs
