// Is a blob what its digest says? Used by the scrubber, by verification and by a recheck of the quarantine.
//
// Thread-safe; calls block. Content is read past the caches (ExtentStore::OpenUncached), a MiB at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/digest/digest.h"
#include "services/store/engine/core.h"
#include "services/store/engine/rows.h"

namespace strata::store {

// kChecksums reads everything and compares the CRC of each MiB; kDigest also hashes all of it. Inline blobs are always hashed.
enum class Depth { kChecksums, kDigest };

// Called before so many bytes are read; an error ends the check and is returned.
using Pace = std::function<absl::Status(size_t bytes)>;

// Reads the content of a blob once, whatever its quarantine says. kDataLoss: it is damaged, the message says how.
absl::Status CheckContent(Reader& reader, ExtentStore& extents, const Digest& digest, const BlobRow& row, Depth depth,
                          const Pace& pace);

struct Examination {
  enum class Verdict { kSound, kDamaged, kChanged };
  Verdict verdict = Verdict::kSound;
  std::string reason;  // when damaged
};
// Examines the bytes of `row`; what looks damaged is read a second time, and quarantined if the blob still has these bytes.
// kChanged: it was removed or replaced meanwhile. Errors: of `pace`, or the store cannot be read at all.
absl::StatusOr<Examination> ExamineBlob(const Core& core, const Digest& digest, const BlobRow& row, Depth depth, const Pace& pace);

// Reads a blob in full, and ends its quarantine if it is sound, or quarantines it if it is not. kNotFound: no such blob.
absl::StatusOr<Examination> RecheckBlob(const Core& core, const Digest& digest, const Pace& pace);

}  // namespace strata::store
