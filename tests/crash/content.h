// What the oracle uploads: a fixed number of blobs, each made from its key alone, so that nobody has to keep their bytes.
//
// Sizes lie on both sides of every boundary that the store has: nothing, 32 KiB (kept inline or in an extent), 1 MiB (a message, a
// checksummed piece), several MiB. One key in eight is named by sha512. Thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "lib/digest/digest.h"

namespace strata::crash {

class ContentLibrary {
 public:
  // Keys are 0 to `count` - 1. Hashes all of them once.
  explicit ContentLibrary(int count);

  int count() const { return static_cast<int>(digests_.size()); }
  size_t SizeOf(int key) const;
  std::string Make(int key) const;
  const Digest& DigestOf(int key) const { return digests_[static_cast<size_t>(key)]; }
  // Absent: no blob of ours.
  std::optional<int> KeyOf(const Digest& digest) const;
  // A digest whose bytes nobody ever uploads.
  Digest NobodysDigest(uint64_t number) const;

 private:
  std::vector<Digest> digests_;
  std::unordered_map<std::string, int> keys_;
};

}  // namespace strata::crash
