#include "tests/bench/engine/payload.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <random>

#include "lib/base/check.h"

namespace strata::bench {

namespace {
constexpr size_t kPoolBytes = 4 << 20;
}  // namespace

Payload::Payload() : pool_(kPoolBytes, '\0') {
  std::mt19937_64 random(20261124);  // any seed; the same in every process
  for (size_t i = 0; i < pool_.size(); i += sizeof(uint64_t)) {
    const uint64_t word = random();
    std::memcpy(pool_.data() + i, &word, sizeof(word));
  }
}

void Payload::Fill(uint64_t id, uint64_t offset, char* buffer, size_t size) const {
  STRATA_CHECK(offset % kPayloadGrain == 0);
  while (size > 0) {
    const size_t n = std::min<size_t>(size, kPayloadGrain);
    std::memcpy(buffer, pool_.data() + (id * 7 * kPayloadGrain + offset) % kPoolBytes, n);
    // Tells the pieces apart.
    const std::array<uint64_t, 2> stamp = {id, offset};
    std::memcpy(buffer, stamp.data(), std::min(n, sizeof(stamp)));
    offset += n;
    buffer += n;
    size -= n;
  }
}

const Payload& ThePayload() {
  static const auto* const payload = new Payload();
  return *payload;
}

}  // namespace strata::bench
