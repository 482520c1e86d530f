#include "lib/compress/gzip.h"

#include <isa-l/igzip_lib.h>

#include <memory>

#include "absl/strings/str_cat.h"

namespace strata::compress {
namespace {

constexpr size_t kMemberBytes = 1024 * 1024;
// Stored blocks cost 5 bytes per 65535; header and trailer are 18. The rest is slack for igzip's own look-ahead.
constexpr size_t kMemberCapacity = kMemberBytes + 4096;
constexpr int kLevel = 2;

BlockTransform MakeMemberCompressor() {
  const auto stream = std::make_shared<isal_zstream>();  // shared only because std::function must be copyable
  const auto level_buffer = std::make_shared<std::unique_ptr<uint8_t[]>>(new uint8_t[ISAL_DEF_LVL2_DEFAULT]);
  return [stream, level_buffer](absl::string_view block, char* out, size_t capacity) -> absl::StatusOr<size_t> {
    isal_deflate_stateless_init(stream.get());
    stream->level = kLevel;
    stream->level_buf = level_buffer->get();
    stream->level_buf_size = ISAL_DEF_LVL2_DEFAULT;
    stream->gzip_flag = IGZIP_GZIP;
    stream->end_of_stream = 1;
    stream->flush = NO_FLUSH;
    stream->next_in = reinterpret_cast<uint8_t*>(const_cast<char*>(block.data()));
    stream->avail_in = static_cast<uint32_t>(block.size());
    stream->next_out = reinterpret_cast<uint8_t*>(out);
    stream->avail_out = static_cast<uint32_t>(capacity);
    const int result = isal_deflate_stateless(stream.get());
    if (result != COMP_OK) return absl::InternalError(absl::StrCat("gzip compression failed: igzip says ", result));
    return stream->total_out;
  };
}

}  // namespace

GzipSink::GzipSink(ByteSink& inner, const GzipOptions& options)
    : blocks_(inner, {.block_bytes = kMemberBytes, .output_capacity = kMemberCapacity, .threads = options.threads},
              MakeMemberCompressor) {}

}  // namespace strata::compress
