// ZstdSink: compresses a stream to zstd.
//
// Spec: RFC 8878. The output is a sequence of frames of 4 MiB of input each, with checksums, which every zstd reader
// takes as one stream. Bytes are a function of the input and the level alone, for any number of threads.
#pragma once

#include "absl/status/status.h"
#include "lib/bytes/byte_stream.h"
#include "lib/compress/block_sink.h"

namespace strata::compress {

struct ZstdOptions {
  int level = 3;    // 1 to 19; others are brought into this range
  int threads = 1;  // compressing threads; 0 compresses in the calling thread. Memory: about 8.5 MiB * (threads + 1).
};

class ZstdSink final : public ByteSink {
 public:
  // `inner` must outlive this object; it is written by the thread that calls Write() and Finish() only.
  explicit ZstdSink(ByteSink& inner, const ZstdOptions& options = {});

  // Errors: those of `inner`. Blocks while all threads are busy.
  absl::Status Write(absl::string_view data) override { return blocks_.Write(data); }
  // Ends the stream. Call it exactly once; without it the output is incomplete. It does not finish `inner`.
  absl::Status Finish() { return blocks_.Finish(); }

 private:
  BlockSink blocks_;
};

}  // namespace strata::compress
