// How rows are put into bytes: fixed-width big-endian numbers, length-prefixed text. docs/formats/store.md lists the fields.
//
// RecordReader never reads past its input; after the first bad field every getter returns an empty value and Finish() says so.
// Value types; thread-compatible.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/digest/digest.h"

namespace strata::store {

// One byte of algorithm (1 sha256, 2 sha512) and the raw hash: byte order is the order of the digests' text.
std::string EncodeDigest(const Digest& digest);
// Takes an encoded digest off the front of `bytes`; false, and `bytes` untouched, when there is none.
bool ConsumeDigest(absl::string_view* bytes, Digest* digest);

std::string EncodeU64(uint64_t value);
bool ConsumeU64(absl::string_view* bytes, uint64_t* value);

// Microseconds since 1970, not below 0.
uint64_t EncodeTime(absl::Time time);
absl::Time DecodeTime(uint64_t micros);

class RecordWriter {
 public:
  RecordWriter& U8(uint8_t value);
  RecordWriter& U32(uint32_t value);
  RecordWriter& U64(uint64_t value);
  RecordWriter& Time(absl::Time value) { return U64(EncodeTime(value)); }
  RecordWriter& Text(absl::string_view value);        // 32-bit length first
  RecordWriter& DigestOf(const Digest& value);        // not empty
  std::string Take() { return std::move(out_); }

 private:
  std::string out_;
};

class RecordReader {
 public:
  // `bytes` outlives this object.
  explicit RecordReader(absl::string_view bytes) : rest_(bytes) {}
  uint8_t U8();
  uint32_t U32();
  uint64_t U64();
  absl::Time Time() { return DecodeTime(U64()); }
  std::string Text();
  Digest DigestOf();
  // A count of things of at least `least_bytes` each that follow: bounded by what is left, so that it may be allocated.
  uint32_t Count(size_t least_bytes);
  // kDataLoss, naming `what`, unless every field was there and nothing is left over.
  absl::Status Finish(absl::string_view what) const;

 private:
  bool Take(size_t size, absl::string_view* out);
  absl::string_view rest_;
  bool failed_ = false;
};

}  // namespace strata::store
