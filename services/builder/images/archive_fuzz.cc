// Any bytes are an image archive or an error; what is planned can be stored.
#include <cstdint>
#include <cstdlib>

#include "lib/blobstore/memory_store.h"
#include "services/builder/images/archive_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  strata::blobstore::MemoryStore store;
  strata::images::ImageCatalog catalog(store, store, {}, "");
  strata::StringSource source(absl::string_view(reinterpret_cast<const char*>(data), size));
  const auto loaded = strata::images::ArchiveReader(store, store, catalog, {.compression_threads = 1}).Load({}, source);
  if (!loaded.ok()) return 0;
  for (const std::string& name : *loaded) {
    const auto found = catalog.Find({}, name);
    if (!found.ok()) std::abort();
  }
  return 0;
}
