// The bytes that are pushed: incompressible, different for each blob, and known at every offset, so that what is read can be compared.
// Made by copying from 4 MiB of random bytes, so that making them costs little and the same for every candidate. Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace strata::bench {

// Ranges begin at multiples of it.
inline constexpr uint64_t kPayloadGrain = 64 * 1024;

class Payload {
 public:
  Payload();
  // Bytes [offset, offset + size) of blob `id`. `offset_bytes` is a multiple of kPayloadGrain.
  void Fill(uint64_t id, uint64_t offset_bytes, char* buffer, size_t size) const;

 private:
  std::string pool_;
};

const Payload& ThePayload();

}  // namespace strata::bench
