#include "lib/digest/crc32.h"

#include <isa-l/crc.h>

namespace strata {

uint32_t Crc32(uint32_t crc, absl::string_view data) {
  return crc32_gzip_refl(crc, reinterpret_cast<const unsigned char*>(data.data()), data.size());
}

}  // namespace strata
