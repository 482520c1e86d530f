// What tags pointed to. An entry is written in the transaction that moves the tag, under the lock of the tag's row, so that entries
// are numbered without a gap in the order of the changes, whatever the clock says.
//
// Bounded: RecordTagChange drops what is past EngineOptions::history_entries; what ended more than history_age ago
// goes when the collector looks. While a tag is there its newest entry has not ended; the entry of a removal ends at once. A history that may have entries to drop one day
// has one review in the collector's queue.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/blobstore/ref_store.h"
#include "services/store/engine/core.h"
#include "services/store/engine/keyspace.h"
#include "services/store/engine/rows.h"

namespace strata::store {

// The tag, which the caller has locked and whose row is `before`, points to `now` (absent: to nothing) from this transaction on. No
// entry is written when that is no change.
absl::Status RecordTagChange(const Core& core, Transaction& transaction, absl::string_view repository, absl::string_view tag,
                             const std::optional<TagRow>& before, blobstore::TagChange change, const std::optional<Digest>& now);

// Entries from the one before sequence `before` on (0: the newest), at most `limit`. `has_more` may be null.
absl::StatusOr<std::vector<blobstore::TagHistoryEntry>> ReadTagHistory(Reader& reader, absl::string_view repository,
                                                                       absl::string_view tag, uint64_t before, size_t limit,
                                                                       bool* has_more);

// Drops entries that ended more than history_age ago, and asks for the next look. Handles a review of kind kTagHistory.
absl::Status PruneTagHistory(const Core& core, const keys::Review& review);

}  // namespace strata::store
