#include "services/store/engine/manifest_removal.h"

#include <memory>
#include <optional>

#include "lib/base/status.h"
#include "services/store/engine/blob_table.h"
#include "services/store/engine/manifest_table.h"
#include "services/store/engine/repository_table.h"

namespace strata::store {

namespace {

// The links of the blobs that no other manifest of the repository names any more stay for the grace period: a push that found
// them there may be under way.
absl::Status EndLeases(const Core& core, Transaction& transaction, absl::string_view repository,
                       const ManifestRow& row) {
  for (const ManifestTarget& target : row.targets) {
    if (target.kind != ManifestTarget::Kind::kBlob) continue;
    STRATA_ASSIGN_OR_RETURN(
        const std::optional<std::string> link,
        transaction.GetForUpdate(Table::kFacts, keys::Link(repository, target.digest), LockMode::kExclusive));
    STRATA_ASSIGN_OR_RETURN(const bool is_named, HasRows(transaction, keys::EdgesTo(keys::Edge::kToBlob, repository, target.digest)));
    if (link && !is_named) STRATA_RETURN_IF_ERROR(EndLease(core, transaction, repository, target.digest));
  }
  return absl::OkStatus();
}

absl::Status RemoveTags(const Core& core, Transaction& transaction, absl::string_view repository, const Digest& digest,
                        std::vector<std::string>* tags) {
  const std::string prefix = keys::TagsOfManifest(repository, digest);
  std::vector<std::string> names;
  const std::unique_ptr<Cursor> cursor = transaction.Scan(Table::kFacts, prefix);
  for (; cursor->valid(); cursor->Next()) names.push_back(keys::TextBehind(prefix, cursor->key()));
  STRATA_RETURN_IF_ERROR(cursor->status());
  for (const std::string& tag : names) {
    STRATA_ASSIGN_OR_RETURN(const std::optional<TagRow> row, LockTag(transaction, repository, tag));
    // Moved elsewhere since it was listed.
    if (!row || row->digest != digest) continue;
    STRATA_RETURN_IF_ERROR(RemoveTag(core, transaction, repository, tag, *row, blobstore::TagChange::kManifestDeleted));
    tags->push_back(tag);
  }
  return absl::OkStatus();
}

// Removes the manifest if nothing names it, and says whether it was there at all.
absl::StatusOr<int64_t> CollectOne(const Core& core, absl::string_view repository, const Digest& digest, bool* is_there) {
  int64_t removed = 0;
  STRATA_RETURN_IF_ERROR(InTransaction(core.kv, Durability::kBuffered, [&](Transaction& transaction) -> absl::Status {
    removed = 0;
    STRATA_ASSIGN_OR_RETURN(const std::optional<ManifestRow> row,
                            LockManifest(transaction, repository, digest, LockMode::kExclusive));
    *is_there = row.has_value();
    if (!row) return absl::OkStatus();
    STRATA_ASSIGN_OR_RETURN(const bool may_go, MayCollectManifest(core, transaction, repository, digest, *row));
    if (!may_go) return absl::OkStatus();
    std::vector<std::string> no_tags;
    removed = 1;
    return RemoveManifest(core, transaction, repository, digest, *row, &no_tags);
  }));
  if (removed > 0) core.AtCommitPoint("gc.manifest_removed");
  return removed;
}

}  // namespace

std::string ManifestEdge(absl::string_view repository, const ManifestTarget& target, const Digest& parent) {
  const bool is_blob = target.kind == ManifestTarget::Kind::kBlob;
  return keys::EdgeRow(is_blob ? keys::Edge::kToBlob : keys::Edge::kToChild, repository, target.digest, parent);
}

absl::StatusOr<bool> IsManifestNamed(Reader& reader, absl::string_view repository, const Digest& digest, const ManifestRow& row) {
  STRATA_ASSIGN_OR_RETURN(const bool has_tag, HasRows(reader, keys::TagsOfManifest(repository, digest)));
  if (has_tag) return true;
  STRATA_ASSIGN_OR_RETURN(const bool has_parent, HasRows(reader, keys::EdgesTo(keys::Edge::kToChild, repository, digest)));
  if (has_parent || !row.subject) return has_parent;
  STRATA_ASSIGN_OR_RETURN(const std::optional<ManifestRow> subject, FindManifest(reader, repository, *row.subject));
  return subject.has_value();
}

absl::StatusOr<bool> MayCollectManifest(const Core& core, Reader& reader, absl::string_view repository, const Digest& digest,
                                        const ManifestRow& row) {
  if (row.pushed + core.options.grace > core.clock.Now()) return false;
  STRATA_ASSIGN_OR_RETURN(const bool is_named, IsManifestNamed(reader, repository, digest, row));
  return !is_named;
}

absl::Status ReviewManifestLater(const Core& core, Transaction& transaction, absl::string_view repository, const Digest& digest) {
  keys::Review review;
  review.kind = keys::Review::Kind::kManifest;
  review.repository = std::string(repository);
  review.digest = digest;
  review.due = GraceEnd(core);
  return transaction.Put(Table::kFacts, keys::ReviewKey(review), "");
}

absl::Status RemoveManifest(const Core& core, Transaction& transaction, absl::string_view repository, const Digest& digest,
                            const ManifestRow& row, std::vector<std::string>* tags) {
  for (const ManifestTarget& target : row.targets) {
    STRATA_RETURN_IF_ERROR(transaction.Delete(Table::kFacts, ManifestEdge(repository, target, digest)));
    if (target.kind == ManifestTarget::Kind::kBlob) continue;
    // Even when another index names the child: that one may be on its way out at this moment.
    STRATA_RETURN_IF_ERROR(ReviewManifestLater(core, transaction, repository, target.digest));
  }
  if (row.subject) {
    STRATA_RETURN_IF_ERROR(transaction.Delete(Table::kFacts, keys::Referrer(repository, *row.subject, digest)));
  }
  STRATA_ASSIGN_OR_RETURN(const bool has_referrers, HasRows(transaction, keys::Referrers(repository, digest)));
  if (has_referrers) STRATA_RETURN_IF_ERROR(ReviewManifestLater(core, transaction, repository, digest));
  STRATA_RETURN_IF_ERROR(transaction.Delete(Table::kFacts, keys::Manifest(repository, digest)));
  STRATA_RETURN_IF_ERROR(transaction.Delete(Table::kContent, keys::ManifestContent(repository, digest)));
  STRATA_RETURN_IF_ERROR(CountManifest(core, transaction, repository, row.size_bytes, -1));
  STRATA_RETURN_IF_ERROR(EndLeases(core, transaction, repository, row));
  STRATA_RETURN_IF_ERROR(RemoveTags(core, transaction, repository, digest, tags));
  STRATA_RETURN_IF_ERROR(transaction.Delete(Table::kFacts, keys::Untagged(repository, digest)));
  return ReviewRepository(core, transaction, repository, /*due_now=*/false);
}

absl::StatusOr<int64_t> CollectManifest(const Core& core, const keys::Review& review) {
  bool is_there = false;
  STRATA_ASSIGN_OR_RETURN(int64_t removed, CollectOne(core, review.repository, review.digest, &is_there));
  if (!is_there) {
    const std::string prefix = keys::Referrers(review.repository, review.digest);
    const std::unique_ptr<Cursor> cursor = core.kv.Scan(Table::kFacts, prefix);
    for (; cursor->valid(); cursor->Next()) {
      STRATA_ASSIGN_OR_RETURN(const Digest referrer, keys::DigestBehind(prefix, cursor->key()));
      STRATA_ASSIGN_OR_RETURN(const int64_t went, CollectOne(core, review.repository, referrer, &is_there));
      removed += went;
    }
    STRATA_RETURN_IF_ERROR(cursor->status());
  }
  STRATA_RETURN_IF_ERROR(InTransaction(core.kv, Durability::kBuffered, [&](Transaction& transaction) {
    return transaction.Delete(Table::kFacts, keys::ReviewKey(review));
  }));
  return removed;
}

}  // namespace strata::store
