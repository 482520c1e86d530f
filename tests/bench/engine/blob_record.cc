#include "tests/bench/engine/blob_record.h"

#include "absl/strings/str_cat.h"

namespace strata::bench {

namespace {
constexpr size_t kHeaderBytes = 9;  // phase, size
}  // namespace

std::string NumberKey(uint64_t number) {
  std::string key(8, '\0');
  for (int i = 0; i < 8; ++i) key[i] = static_cast<char>(number >> (56 - 8 * i));
  return key;
}

uint64_t ParseNumberKey(absl::string_view bytes) {
  uint64_t number = 0;
  for (int i = 0; i < 8; ++i) number = number << 8 | static_cast<unsigned char>(bytes[i]);
  return number;
}

std::string BlobRecord::Encode() const { return absl::StrCat(is_committed ? "c" : "u", NumberKey(size_bytes), text); }

absl::StatusOr<BlobRecord> BlobRecord::Decode(absl::string_view bytes) {
  if (bytes.size() < kHeaderBytes) return absl::DataLossError("a record is too short");
  return BlobRecord{.is_committed = bytes[0] == 'c',
                    .size_bytes = ParseNumberKey(bytes.substr(1)),
                    .text = std::string(bytes.substr(kHeaderBytes))};
}

}  // namespace strata::bench
