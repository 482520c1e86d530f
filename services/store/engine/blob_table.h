// Rows of blobs and of the links that say which repository may read them: the rules every part keeps.
//
// Lock order inside one transaction: repository, manifests, blobs, links, tags; several of a kind in order of digest.
//   adding a reference to a blob (link, cache need):  blob row shared
//   removing the blob, replacing its bytes:           blob row exclusive, then look for references
//   relying on a link (a manifest names the blob):    link row shared
//   removing the link:                                link row exclusive, then look for manifests that name the blob
// Every reference that goes leaves a review behind, due after the grace period: that is all the collector looks at.
#pragma once

#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "lib/digest/digest.h"
#include "services/store/engine/core.h"
#include "services/store/engine/rows.h"

namespace strata::store {

// The row of a blob whether quarantined or not; absent: there is none.
absl::StatusOr<std::optional<BlobRow>> FindBlob(Reader& reader, const Digest& digest);
absl::StatusOr<std::optional<BlobRow>> LockBlob(Transaction& transaction, const Digest& digest, LockMode mode);

// Whether the blob exists and may be served.
inline bool IsServed(const std::optional<BlobRow>& row) { return row.has_value() && !row->is_quarantined; }

absl::StatusOr<bool> HasLink(Reader& reader, absl::string_view repository, const Digest& digest);
// HasLink, and the link stays until the transaction ends.
absl::StatusOr<bool> LockLink(Transaction& transaction, absl::string_view repository, const Digest& digest);

// Lets `repository`, which the caller has entered, read the blob, whose row it has locked and seen. A link that no manifest follows is reviewed after the
// grace period, counted from the newest AddLink.
absl::Status AddLink(const Core& core, Transaction& transaction, absl::string_view repository, const Digest& digest);
// Ends the lease of a link that the caller has locked exclusively, so that the link goes after the grace period unless a manifest
// comes to name the blob.
absl::Status EndLease(const Core& core, Transaction& transaction, absl::string_view repository, const Digest& digest);
// Whether a manifest of the repository names the blob or, in the builder's repository, a cache record needs it.
absl::StatusOr<bool> IsLinkNeeded(Reader& reader, absl::string_view repository, const Digest& digest);
// The caller has locked the link row exclusively. The blob is reviewed at `review_at`.
absl::Status RemoveLink(const Core& core, Transaction& transaction, absl::string_view repository, const Digest& digest, absl::Time review_at);
// When something that loses its last reference now may go.
absl::Time GraceEnd(const Core& core);

// Removes the rows of a blob whose row the caller has locked exclusively, and dooms its extent.
absl::Status RemoveBlobRows(Transaction& transaction, const Digest& digest, const BlobRow& row);

// Asks the collector to look at a blob, or at a link, once the grace period is over.
absl::Status ReviewBlobLater(const Core& core, Transaction& transaction, const Digest& digest);
absl::Status ReviewLinkLater(const Core& core, Transaction& transaction, absl::string_view repository, const Digest& digest);

// Removes an extent that a committed transaction doomed. Returns the bytes freed; 0 when a RemovalHold keeps it for now. Its mark
// stays: after a power loss the file may be back, and then only the mark tells that nobody wants it.
absl::StatusOr<int64_t> RemoveDoomedExtent(const Core& core, uint64_t id);
// Makes all these removals durable, then takes the marks away: a sync for each folder that lost extents, however many they are.
absl::Status ForgetRemovedExtents(const Core& core);

// Whether any row has this prefix.
absl::StatusOr<bool> HasRows(Reader& reader, absl::string_view prefix);

std::vector<Digest> SortedUnique(absl::Span<const Digest> digests);

}  // namespace strata::store
