// CRC-32 as gzip and zlib have it, at memory speed: what verifies stored bytes on their way out.
#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"

namespace strata {

// Goes on from `crc`; 0 to begin with.
uint32_t Crc32(uint32_t crc, absl::string_view data);

}  // namespace strata
