#include "lib/digest/verifying_source.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"

namespace strata {

VerifyingSource::VerifyingSource(ByteSource& inner, Digest expected, int64_t size_bytes)
    : inner_(inner), expected_(std::move(expected)), size_bytes_(size_bytes), hasher_(expected_.algorithm()) {}

absl::StatusOr<size_t> VerifyingSource::Read(char* buffer, size_t size) {
  STRATA_ASSIGN_OR_RETURN(const size_t n, inner_.Read(buffer, size));
  hasher_.Update(absl::string_view(buffer, n));
  const auto have = static_cast<int64_t>(hasher_.bytes_hashed());
  if (size_bytes_ >= 0 && (have > size_bytes_ || (n == 0 && have < size_bytes_))) {
    return absl::DataLossError(absl::StrCat("content of ", expected_.ToString(), " should have ", size_bytes_,
                                            " bytes, but ", n == 0 ? "" : "at least ", have, " came"));
  }
  if (n == 0 && hasher_.Finish() != expected_) {
    return absl::DataLossError(
        absl::StrCat("content hashes to ", hasher_.Finish().ToString(), ", expected ", expected_.ToString()));
  }
  return n;
}

}  // namespace strata
