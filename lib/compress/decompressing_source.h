// DecompressingSource: looks at the first bytes of a stream and gives its plain content, whatever it was compressed with.
//
// Reads gzip (any number of members, zero padding after the last), zstd (any number of frames, windows to 128 MiB), bzip2 (any
// number of streams), xz (any number of streams, 128 MiB of memory) and plain content. The input is hostile: checksums are
// verified, memory is bounded, and an output limit stops decompression bombs.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>

#include "absl/status/statusor.h"
#include "lib/bytes/byte_stream.h"
#include "lib/compress/decoder.h"
#include "lib/compress/format.h"

namespace strata::compress {

struct DecompressOptions {
  // Read() fails with kResourceExhausted rather than give more bytes than this.
  uint64_t output_limit_bytes = std::numeric_limits<uint64_t>::max();
};

class DecompressingSource final : public ByteSource {
 public:
  // Reads the head of `inner`, which must outlive the result. Errors: those of `inner`, or no memory for the decoder.
  static absl::StatusOr<std::unique_ptr<DecompressingSource>> Open(ByteSource& inner, const DecompressOptions& options = {});

  // As ByteSource, with the plain content. When it returned 0, `inner` has been read to its end.
  // kInvalidArgument: the compressed data is corrupt, is cut short, or something else follows it.
  // kResourceExhausted: more output than the limit, or more memory needed than the format's bound.
  absl::StatusOr<size_t> Read(char* buffer, size_t size) override;

  // What the content was compressed with.
  Format format() const { return format_; }

 private:
  DecompressingSource(ByteSource& inner, const DecompressOptions& options);

  absl::Status Refill();                                          // only when input_ is used up
  absl::StatusOr<size_t> ReadPlain(char* buffer, size_t size);
  absl::StatusOr<size_t> Decompress(char* buffer, size_t size);
  absl::StatusOr<bool> StartNextMember();                         // false: the content ended

  ByteSource& inner_;
  const DecompressOptions options_;
  Format format_ = Format::kPlain;
  std::unique_ptr<Decoder> decoder_;  // null for plain content
  std::unique_ptr<char[]> buffer_;
  absl::string_view input_;  // what of buffer_ is not consumed yet
  bool input_ended_ = false;
  bool between_members_ = false;
  uint64_t produced_ = 0;
};

}  // namespace strata::compress
