// Any bytes either decompress within the limit or fail; never crash, never hang.
#include <cstdint>
#include <memory>

#include "lib/bytes/byte_stream.h"
#include "lib/compress/decompressing_source.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  strata::StringSource input(absl::string_view(reinterpret_cast<const char*>(data), size));
  const auto source = strata::compress::DecompressingSource::Open(input, {.output_limit_bytes = 1 << 20});
  if (!source.ok()) return 0;
  strata::NullSink sink;
  if (!strata::CopyBytes(**source, sink).ok()) return 0;
  return 0;
}
