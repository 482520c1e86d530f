// LayerSink: from the bytes of a layer tar to a compressed blob and both of its digests, in one pass.
//
//   Write(tar) --+--> diff ID hash        (own thread, bounded queue)
//                +--> compress            (`compression_threads` threads) --> blob hash --> blob_out   (the calling thread)
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/bytes/byte_stream.h"
#include "lib/digest/digest.h"

namespace strata::layer {

enum class Compression { kNone, kGzip, kZstd };

// "application/vnd.oci.image.layer.v1.tar", "...tar+gzip", "...tar+zstd".
absl::string_view LayerMediaType(Compression compression);

struct LayerSinkOptions {
  Compression compression = Compression::kGzip;
  int compression_threads = 2;
  int zstd_level = 3;
};

struct LayerResult {
  Digest diff_id;      // of the uncompressed tar
  Digest blob_digest;  // of what went to blob_out; equals diff_id without compression
  uint64_t blob_size = 0;
  uint64_t tar_size = 0;
};

// Used by one thread at a time. Memory: about 2.5 MiB and 2.2 MiB (gzip) or 8.5 MiB (zstd) * (threads + 1), whatever the layer's size.
// Blob bytes are a function of the tar bytes and the options, not of the number of threads.
class LayerSink final : public ByteSink {
 public:
  // `blob_out` (the upload) must outlive this object.
  explicit LayerSink(ByteSink& blob_out, const LayerSinkOptions& options = {});
  // Unfinished, it leaves an incomplete blob behind: the upload must be discarded.
  ~LayerSink() override;

  // Errors: those of `blob_out`; sticky. Blocks when the receiver, the compressor or the hash is behind.
  absl::Status Write(absl::string_view data) override;
  // Ends the blob and says what it is. Call it exactly once. It does not commit `blob_out`.
  absl::StatusOr<LayerResult> Finish();

 private:
  class Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace strata::layer
