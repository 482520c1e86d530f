// What a candidate records of a blob: how far it is, and the text that belongs to that.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace strata::bench {

struct BlobRecord {
  bool is_committed = false;
  uint64_t size_bytes = 0;
  std::string text;  // committed: the checksums; before: the state of the last checkpoint

  std::string Encode() const;
  // kDataLoss: not such a record.
  static absl::StatusOr<BlobRecord> Decode(absl::string_view bytes);
};

// Eight bytes, big-endian, so that keys sort like numbers.
std::string NumberKey(uint64_t number);
uint64_t ParseNumberKey(absl::string_view bytes);  // of the first eight bytes

}  // namespace strata::bench
