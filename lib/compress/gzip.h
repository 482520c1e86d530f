// GzipSink: compresses a stream to gzip at several hundred MB/s a core, by ISA-L's igzip at level 2.
//
// Spec: RFC 1952. The output is a sequence of members of 1 MiB of input each, which is one valid gzip file (section 2.2); every
// reader of container layers accepts it. Bytes are a function of the input alone: no time, no name, OS byte 255 ("unknown"),
// and the same output for any number of threads.
#pragma once

#include <cstddef>

#include "absl/status/status.h"
#include "lib/bytes/byte_stream.h"
#include "lib/compress/block_sink.h"

namespace strata::compress {

struct GzipOptions {
  int threads = 1;  // compressing threads; 0 compresses in the calling thread. Memory: about 2.2 MiB * (threads + 1).
};

class GzipSink final : public ByteSink {
 public:
  // `inner` must outlive this object; it is written by the thread that calls Write() and Finish() only.
  explicit GzipSink(ByteSink& inner, const GzipOptions& options = {});

  // Errors: those of `inner`. Blocks while all threads are busy.
  absl::Status Write(absl::string_view data) override { return blocks_.Write(data); }
  // Ends the stream. Call it exactly once; without it the output is incomplete. It does not finish `inner`.
  absl::Status Finish() { return blocks_.Finish(); }

 private:
  BlockSink blocks_;
};

}  // namespace strata::compress
