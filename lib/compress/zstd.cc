#include "lib/compress/zstd.h"

#include <zstd.h>

#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"

namespace strata::compress {
namespace {

constexpr size_t kFrameBytes = 4 * 1024 * 1024;

BlockTransform MakeFrameCompressor(int level) {
  const std::shared_ptr<ZSTD_CCtx> context(ZSTD_createCCtx(), ZSTD_freeCCtx);  // shared: std::function must be copyable
  if (context != nullptr) {
    ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, std::clamp(level, 1, 19));
    ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
  }
  return [context](absl::string_view block, char* out, size_t capacity) -> absl::StatusOr<size_t> {
    if (context == nullptr) return absl::ResourceExhaustedError("zstd compression: no memory for its context");
    const size_t size = ZSTD_compress2(context.get(), out, capacity, block.data(), block.size());
    if (ZSTD_isError(size)) return absl::InternalError(absl::StrCat("zstd compression failed: ", ZSTD_getErrorName(size)));
    return size;
  };
}

}  // namespace

ZstdSink::ZstdSink(ByteSink& inner, const ZstdOptions& options)
    : blocks_(inner,
              {.block_bytes = kFrameBytes, .output_capacity = ZSTD_compressBound(kFrameBytes), .threads = options.threads},
              [level = options.level] { return MakeFrameCompressor(level); }) {}

}  // namespace strata::compress
