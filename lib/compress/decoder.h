// What decompresses one format, a step at a time. DecompressingSource owns the loop; these own the library calls.
#pragma once

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/compress/format.h"

namespace strata::compress {

class Decoder {
 public:
  struct Step {
    size_t consumed = 0;
    size_t produced = 0;
    bool at_member_end = false;  // a gzip member, zstd frame, bzip2 or xz stream just ended
  };

  virtual ~Decoder() = default;
  // Consumes some of `input` and produces up to `size` bytes at `out`. `input_ended` says that nothing follows `input`.
  // kInvalidArgument: the input is not valid in this format. kResourceExhausted: it needs more memory than is allowed.
  virtual absl::StatusOr<Step> Decode(absl::string_view input, bool input_ended, char* out, size_t size) = 0;
  // Makes ready for another member after `at_member_end`.
  virtual absl::Status StartNextMember() = 0;
};

// kInternal or kResourceExhausted when the library cannot start. `format` must not be kPlain.
absl::StatusOr<std::unique_ptr<Decoder>> MakeDecoder(Format format);

absl::StatusOr<std::unique_ptr<Decoder>> MakeGzipDecoder();
absl::StatusOr<std::unique_ptr<Decoder>> MakeZstdDecoder();
absl::StatusOr<std::unique_ptr<Decoder>> MakeBzip2Decoder();
absl::StatusOr<std::unique_ptr<Decoder>> MakeXzDecoder();

}  // namespace strata::compress
