// Blobs that were found damaged: still known, never served, replaced by the next upload of the digest.
//
//            QuarantineBlob                      upload of the same digest, or removal
//   served ──────────────────► quarantined ────────────────────────────────────────────► other bytes, or gone
//      ▲                            │
//      └──── ReleaseBlob ───────────┘  (read again and found sound)
//
// Thread-safe; calls block. Each change is one synced transaction.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/digest/digest.h"
#include "services/store/engine/core.h"

namespace strata::store {

// Returns whether it is news: false when the blob has other bytes than those of `id` by now, is gone, or was quarantined before.
// Tells EngineOptions::on_quarantine.
absl::StatusOr<bool> QuarantineBlob(const Core& core, const Digest& digest, uint64_t id, absl::string_view reason);

// Serves the blob again. Returns false when it is not the one with `id`, or not quarantined.
absl::StatusOr<bool> ReleaseBlob(const Core& core, const Digest& digest, uint64_t id);

// Removes the note beside a blob row that the caller has locked exclusively and removes.
absl::Status EndQuarantine(Transaction& transaction, const Digest& digest);

}  // namespace strata::store
