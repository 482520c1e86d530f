#include <lzma.h>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/compress/decoder.h"

namespace strata::compress {
namespace {

// `xz -9` needs 65 MiB to decompress.
constexpr uint64_t kMemoryLimitBytes = 128 * 1024 * 1024;

class XzDecoder final : public Decoder {
 public:
  ~XzDecoder() override { lzma_end(&stream_); }

  absl::Status Start() {
    // LZMA_CONCATENATED makes liblzma itself read several streams and the padding between them.
    const lzma_ret result = lzma_stream_decoder(&stream_, kMemoryLimitBytes, LZMA_CONCATENATED);
    if (result != LZMA_OK) return absl::ResourceExhaustedError(absl::StrCat("xz: cannot start decompressing (", static_cast<int>(result), ")"));
    return absl::OkStatus();
  }

  absl::StatusOr<Step> Decode(absl::string_view input, bool input_ended, char* out, size_t size) override {
    stream_.next_in = reinterpret_cast<const uint8_t*>(input.data());
    stream_.avail_in = input.size();
    stream_.next_out = reinterpret_cast<uint8_t*>(out);
    stream_.avail_out = size;
    const lzma_ret result = lzma_code(&stream_, input_ended ? LZMA_FINISH : LZMA_RUN);
    if (result == LZMA_MEMLIMIT_ERROR || result == LZMA_MEM_ERROR) {
      return absl::ResourceExhaustedError(absl::StrCat("xz: decompressing needs more than ", kMemoryLimitBytes, " bytes of memory"));
    }
    // LZMA_BUF_ERROR only says that no progress was possible; the caller sees that from the step.
    if (result != LZMA_OK && result != LZMA_STREAM_END && result != LZMA_BUF_ERROR) {
      return absl::InvalidArgumentError(absl::StrCat("xz: the data is corrupt (", static_cast<int>(result), ")"));
    }
    return Step{.consumed = input.size() - stream_.avail_in,
                .produced = size - stream_.avail_out,
                .at_member_end = result == LZMA_STREAM_END};
  }

  absl::Status StartNextMember() override { return absl::InvalidArgumentError("xz: data after the last stream"); }

 private:
  lzma_stream stream_ = LZMA_STREAM_INIT;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Decoder>> MakeXzDecoder() {
  auto decoder = std::make_unique<XzDecoder>();
  STRATA_RETURN_IF_ERROR(decoder->Start());
  return decoder;
}

absl::StatusOr<std::unique_ptr<Decoder>> MakeDecoder(Format format) {
  switch (format) {
    case Format::kGzip: return MakeGzipDecoder();
    case Format::kZstd: return MakeZstdDecoder();
    case Format::kBzip2: return MakeBzip2Decoder();
    case Format::kXz: return MakeXzDecoder();
    case Format::kPlain: break;
  }
  return absl::InternalError("no decoder for plain content");
}

}  // namespace strata::compress
