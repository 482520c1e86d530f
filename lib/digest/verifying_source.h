// Wraps a source and fails at its end unless the bytes hash to the expected digest and have the expected size.
#pragma once

#include <cstdint>

#include "lib/bytes/byte_stream.h"
#include "lib/digest/digest.h"
#include "lib/digest/hasher.h"

namespace strata {

class VerifyingSource final : public ByteSource {
 public:
  // `inner` must outlive this object. A negative `size_bytes` means: any size.
  VerifyingSource(ByteSource& inner, Digest expected, int64_t size_bytes = -1);
  // As ByteSource; kDataLoss in place of the end, or as soon as more than size_bytes came, when the content is not the expected one.
  absl::StatusOr<size_t> Read(char* buffer, size_t size) override;

 private:
  ByteSource& inner_;
  const Digest expected_;
  const int64_t size_bytes_;
  Hasher hasher_;
};

}  // namespace strata
