#include "lib/compress/format.h"

#include "absl/strings/match.h"

namespace strata::compress {

absl::string_view FormatName(Format format) {
  switch (format) {
    case Format::kPlain: return "plain";
    case Format::kGzip: return "gzip";
    case Format::kZstd: return "zstd";
    case Format::kBzip2: return "bzip2";
    case Format::kXz: return "xz";
  }
  return "unknown";
}

Format SniffFormat(absl::string_view head) {
  if (absl::StartsWith(head, "\x1f\x8b\x08")) return Format::kGzip;
  if (absl::StartsWith(head, "\x28\xb5\x2f\xfd")) return Format::kZstd;
  // A skippable zstd frame, RFC 8878 section 3.1.2.
  if (head.size() >= 4 && (static_cast<unsigned char>(head[0]) & 0xf0) == 0x50 && absl::StartsWith(head.substr(1), "\x2a\x4d\x18")) {
    return Format::kZstd;
  }
  // Bzip2 has a short magic; the block or end-of-stream marker after it keeps texts that start with "BZh1" plain.
  if (head.size() >= 10 && absl::StartsWith(head, "BZh") && head[3] >= '1' && head[3] <= '9' &&
      (absl::StartsWith(head.substr(4), "\x31\x41\x59\x26\x53\x59") || absl::StartsWith(head.substr(4), "\x17\x72\x45\x38\x50\x90"))) {
    return Format::kBzip2;
  }
  if (absl::StartsWith(head, absl::string_view("\xfd"
                                               "7zXZ\0", 6))) {
    return Format::kXz;
  }
  return Format::kPlain;
}

}  // namespace strata::compress
