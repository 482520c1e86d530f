// Any bytes are an archive or an error; names are bounded, contents have the size that was announced.
#include <cstdint>
#include <cstdlib>

#include "lib/bytes/byte_stream.h"
#include "lib/tar/reader.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  strata::StringSource source(absl::string_view(reinterpret_cast<const char*>(data), size));
  strata::tar::Reader reader(source, {.max_name_bytes = 1000, .max_pax_bytes = 10'000, .max_entries = 1000});
  while (true) {
    const auto entry = reader.Next();
    if (!entry.ok() || !entry->has_value()) return 0;
    if ((*entry)->name.size() > 1000) std::abort();
    strata::NullSink sink;
    const auto copied = strata::CopyBytes(reader.content(), sink);
    if (copied.ok() && *copied != (*entry)->size) std::abort();
  }
}
