// How manifests go: by request, or by the collector after what named them went.
//
// A manifest that is removed leaves reviews of kind kManifest behind, due after the grace period: one for each manifest that it
// names as an index, and one of its own digest when it has referrers. At such a review a manifest that is there goes when nothing
// names it any more: no tag, no index, no living subject, and nobody pushed it in the grace period. A manifest that never was part
// of another one gets no review: it stays, whether it has a tag or not, until it is deleted or a retention rule says otherwise.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/digest/digest.h"
#include "services/store/engine/core.h"
#include "services/store/engine/keyspace.h"
#include "services/store/engine/rows.h"

namespace strata::store {

// Key of the row that says that `parent` names the target.
std::string ManifestEdge(absl::string_view repository, const ManifestTarget& target, const Digest& parent);

// Whether a tag, an index or a living subject keeps the manifest.
absl::StatusOr<bool> IsManifestNamed(Reader& reader, absl::string_view repository, const Digest& digest, const ManifestRow& row);

// Removes a manifest whose row the caller has locked exclusively and that no index names, with its tags, which are appended to `tags`.
absl::Status RemoveManifest(const Core& core, Transaction& transaction, absl::string_view repository, const Digest& digest,
                            const ManifestRow& row, std::vector<std::string>* tags);

// Asks the collector to look whether anything names the manifest still, after the grace period.
absl::Status ReviewManifestLater(const Core& core, Transaction& transaction, absl::string_view repository, const Digest& digest);

// Whether the collector would remove the manifest at a review that is due.
absl::StatusOr<bool> MayCollectManifest(const Core& core, Reader& reader, absl::string_view repository, const Digest& digest,
                                        const ManifestRow& row);

// Handles a due review of kind kManifest. Returns how many manifests went.
absl::StatusOr<int64_t> CollectManifest(const Core& core, const keys::Review& review);

}  // namespace strata::store
