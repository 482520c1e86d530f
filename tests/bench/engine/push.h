// Pushing a blob into a candidate as the store does: one thread writes while a second one hashes; and reading it back.
#pragma once

#include <cstdint>
#include <functional>

#include "absl/status/statusor.h"
#include "lib/digest/digest.h"
#include "tests/bench/engine/candidate.h"

namespace strata::bench {

struct PushOptions {
  uint64_t size_bytes = 0;
  uint64_t checkpoint_every_bytes = 0;                 // 0: never; else a multiple of kStreamChunkBytes
  std::function<void(uint64_t offset)> on_checkpoint;  // after each
  std::function<void(uint64_t offset)> on_written;     // after each chunk
};

struct Pushed {
  Digest digest;
  double seconds = 0;
  double commit_seconds = 0;  // from the last byte written to the answer
  double checkpoint_seconds_total = 0;
  int checkpoints = 0;
};

absl::StatusOr<Pushed> Push(Candidate& candidate, uint64_t id, const PushOptions& options);
// The rest, from where the candidate says that it is; the offset goes to `resumed_at`.
absl::StatusOr<Pushed> ResumePush(Candidate& candidate, uint64_t id, const PushOptions& options, uint64_t* resumed_at);

// The digest of blob `id` if it has `size_bytes`.
Digest DigestOfPayload(uint64_t id, uint64_t size_bytes);

// kDataLoss unless the candidate holds exactly the payload of blob `id`.
absl::Status CheckBlob(Candidate& candidate, uint64_t id, uint64_t size_bytes);
// kInternal unless blob `id` is not to be found.
absl::Status CheckAbsent(Candidate& candidate, uint64_t id);

}  // namespace strata::bench
