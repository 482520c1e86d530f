// What a failure of a store says to programs, beyond its code: payloads of the status, kept over gRPC too.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace strata::blobstore {

// What a kResourceExhausted ran out of.
enum class Exhausted : char {
  kUnknown = '?',
  kDisk = 'd',     // of the store: somebody must free space; trying again at once is useless
  kQuota = 'q',    // of the repository: content must go, or the quota must grow
  kUploads = 'u',  // upload sessions: some must end
};
absl::Status ExhaustedError(Exhausted what, absl::string_view message);
// kUnknown when nothing is said.
Exhausted WhatIsExhausted(const absl::Status& status);

// kOutOfRange of an upload: where the next write must start.
absl::Status WrongOffsetError(uint64_t held_bytes, absl::string_view message);
std::optional<uint64_t> HeldOffset(const absl::Status& status);

}  // namespace strata::blobstore
