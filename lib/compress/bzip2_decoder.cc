#include <bzlib.h>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/compress/decoder.h"

namespace strata::compress {
namespace {

class Bzip2Decoder final : public Decoder {
 public:
  ~Bzip2Decoder() override { End(); }

  absl::Status Start() {
    stream_ = bz_stream{};
    if (const int result = BZ2_bzDecompressInit(&stream_, 0, 0); result != BZ_OK) {
      return absl::ResourceExhaustedError(absl::StrCat("bzip2: cannot start decompressing (", result, ")"));
    }
    started_ = true;
    return absl::OkStatus();
  }

  absl::StatusOr<Step> Decode(absl::string_view input, bool input_ended, char* out, size_t size) override {
    stream_.next_in = const_cast<char*>(input.data());
    stream_.avail_in = static_cast<unsigned>(input.size());
    stream_.next_out = out;
    stream_.avail_out = static_cast<unsigned>(size);
    const int result = BZ2_bzDecompress(&stream_);
    if (result == BZ_MEM_ERROR) return absl::ResourceExhaustedError("bzip2: no memory to decompress");
    if (result != BZ_OK && result != BZ_STREAM_END) {
      return absl::InvalidArgumentError(absl::StrCat("bzip2: the data is corrupt (", result, ")"));
    }
    return Step{.consumed = input.size() - stream_.avail_in,
                .produced = size - stream_.avail_out,
                .at_member_end = result == BZ_STREAM_END};
  }

  absl::Status StartNextMember() override {
    End();
    return Start();
  }

 private:
  void End() {
    if (started_) BZ2_bzDecompressEnd(&stream_);
    started_ = false;
  }

  bz_stream stream_{};
  bool started_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Decoder>> MakeBzip2Decoder() {
  auto decoder = std::make_unique<Bzip2Decoder>();
  STRATA_RETURN_IF_ERROR(decoder->Start());
  return decoder;
}

}  // namespace strata::compress
