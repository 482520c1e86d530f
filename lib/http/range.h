// Byte ranges: the Range request header, and the Content-Range of chunked blob uploads.
// Spec: RFC 9110 section 14; OCI distribution-spec, "Pushing a blob in chunks" for the form "start-end".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace strata::http {

// Inclusive bounds, as on the wire: first <= last.
struct ByteRange {
  uint64_t first = 0;
  uint64_t last = 0;

  uint64_t size_bytes() const { return last - first + 1; }
  bool operator==(const ByteRange&) const = default;
};

// How many ranges one Range header may ask for: as many as a podman that pulls parts of a layer does.
inline constexpr size_t kMaxRanges = 1024;

// Resolves a Range header value ("bytes=0-99", "bytes=100-", "bytes=-5", "bytes=0-1,8-") against content of `size_bytes`.
// Ranges past the end are clamped or left out; the rest come in the order asked for.
// kInvalidArgument: not a byte range at all, or more than kMaxRanges; the RFC says to ignore the header and answer 200.
// kOutOfRange: no range can be satisfied ("500-0" included); answer 416 with "Content-Range: bytes */<size>".
absl::StatusOr<std::vector<ByteRange>> ParseRange(absl::string_view value, uint64_t size_bytes);

// Parses the Content-Range of an upload chunk: "0-1023", and the RFC's own form "bytes 0-1023/*" (or a total), which some
// clients send. kInvalidArgument: anything else, or last < first.
absl::StatusOr<ByteRange> ParseUploadContentRange(absl::string_view value);

// The Content-Range of a 206 answer, as clients must read it.
struct ContentRange {
  ByteRange range;
  uint64_t total_bytes = 0;
};
// Parses "bytes 0-99/1234". kInvalidArgument: anything else, an unknown total ("*") included.
absl::StatusOr<ContentRange> ParseContentRange(absl::string_view value);

// "bytes 0-99/1234"
std::string FormatContentRange(const ByteRange& range, uint64_t total_bytes);

}  // namespace strata::http
