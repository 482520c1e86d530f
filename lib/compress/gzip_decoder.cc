#include <isa-l/igzip_lib.h>

#include "absl/strings/str_cat.h"
#include "lib/compress/decoder.h"

namespace strata::compress {
namespace {

class GzipDecoder final : public Decoder {
 public:
  GzipDecoder() { Start(); }

  absl::StatusOr<Step> Decode(absl::string_view input, bool input_ended, char* out, size_t size) override {
    state_.next_in = reinterpret_cast<uint8_t*>(const_cast<char*>(input.data()));
    state_.avail_in = static_cast<uint32_t>(input.size());
    state_.next_out = reinterpret_cast<uint8_t*>(out);
    state_.avail_out = static_cast<uint32_t>(size);
    const int result = isal_inflate(&state_);
    if (result == ISAL_INCORRECT_CHECKSUM) return absl::InvalidArgumentError("gzip: the checksum does not match the content");
    if (result < 0 || result == ISAL_NEED_DICT) {
      return absl::InvalidArgumentError(absl::StrCat("gzip: the data is corrupt (igzip says ", result, ")"));
    }
    return Step{.consumed = input.size() - state_.avail_in,
                .produced = size - state_.avail_out,
                .at_member_end = state_.block_state == ISAL_BLOCK_FINISH};
  }

  absl::Status StartNextMember() override {
    Start();
    return absl::OkStatus();
  }

 private:
  void Start() {
    isal_inflate_init(&state_);
    state_.crc_flag = ISAL_GZIP;
  }

  inflate_state state_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Decoder>> MakeGzipDecoder() { return std::make_unique<GzipDecoder>(); }

}  // namespace strata::compress
