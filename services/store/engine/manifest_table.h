// Rows of manifests and tags: the steps that manifest and tag operations are made of. Lock order: blob_table.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/blobstore/ref_store.h"
#include "lib/digest/digest.h"
#include "services/store/engine/core.h"
#include "services/store/engine/rows.h"

namespace strata::store {

absl::StatusOr<std::optional<ManifestRow>> FindManifest(Reader& reader, absl::string_view repository, const Digest& digest);
absl::StatusOr<std::optional<ManifestRow>> LockManifest(Transaction& transaction, absl::string_view repository,
                                                        const Digest& digest, LockMode mode);

// The repository comes to have a manifest of this size, or (-1) no longer has it.
absl::Status CountManifest(const Core& core, Transaction& transaction, absl::string_view repository, uint64_t size_bytes, int sign);

absl::StatusOr<std::optional<TagRow>> FindTag(Reader& reader, absl::string_view repository, absl::string_view tag);
absl::StatusOr<std::optional<TagRow>> LockTag(Transaction& transaction, absl::string_view repository, absl::string_view tag);

// Points the tag, which the caller has locked and whose row is `before`, at a manifest whose row is locked. History: tag_history.h.
absl::Status PointTag(const Core& core, Transaction& transaction, absl::string_view repository, absl::string_view tag,
                      const std::optional<TagRow>& before, blobstore::TagChange change, const Digest& digest);
// Removes a tag that the caller has locked and whose row is `row`.
absl::Status RemoveTag(const Core& core, Transaction& transaction, absl::string_view repository, absl::string_view tag,
                       const TagRow& row, blobstore::TagChange change);

}  // namespace strata::store
