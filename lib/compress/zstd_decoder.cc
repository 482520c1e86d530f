#include <zstd.h>
#include <zstd_errors.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "lib/compress/decoder.h"

namespace strata::compress {
namespace {

// A frame names the window it needs; 128 MiB is what `zstd --long` asks of readers by default.
constexpr int kMaxWindowLog = 27;

class ZstdDecoder final : public Decoder {
 public:
  explicit ZstdDecoder(ZSTD_DCtx* context) : context_(context) {
    ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, kMaxWindowLog);
  }

  absl::StatusOr<Step> Decode(absl::string_view input, bool input_ended, char* out, size_t size) override {
    ZSTD_inBuffer in{input.data(), input.size(), 0};
    ZSTD_outBuffer produced{out, size, 0};
    const size_t result = ZSTD_decompressStream(context_.get(), &produced, &in);
    if (ZSTD_isError(result)) {
      const bool too_large = ZSTD_getErrorCode(result) == ZSTD_error_frameParameter_windowTooLarge;
      const std::string message = absl::StrCat("zstd: ", ZSTD_getErrorName(result));
      return too_large ? absl::ResourceExhaustedError(message) : absl::InvalidArgumentError(message);
    }
    return Step{.consumed = in.pos, .produced = produced.pos, .at_member_end = result == 0};
  }

  absl::Status StartNextMember() override { return absl::OkStatus(); }

 private:
  struct Free {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };
  std::unique_ptr<ZSTD_DCtx, Free> context_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Decoder>> MakeZstdDecoder() {
  ZSTD_DCtx* context = ZSTD_createDCtx();
  if (context == nullptr) return absl::ResourceExhaustedError("zstd: no memory to decompress");
  return std::make_unique<ZstdDecoder>(context);
}

}  // namespace strata::compress
