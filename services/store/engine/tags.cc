#include "services/store/engine/tags.h"

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/oci/reference.h"
#include "services/store/engine/listings.h"
#include "services/store/engine/manifest_table.h"
#include "services/store/engine/tag_history.h"

namespace strata::store {

using blobstore::TagChange;
using blobstore::TagCondition;

namespace {

std::optional<Digest> TargetOf(const std::optional<TagRow>& row) { return row ? std::optional(row->digest) : std::nullopt; }

absl::Status NoSuchTag(absl::string_view repository, absl::string_view tag) {
  return absl::NotFoundError(absl::StrCat("repository \"", repository, "\" has no tag \"", tag.substr(0, 128), "\""));
}

}  // namespace

absl::Status Tags::Set(absl::string_view repository, absl::string_view tag, const Digest& digest, const TagCondition& condition) {
  STRATA_RETURN_IF_ERROR(CheckRepository(repository));
  STRATA_RETURN_IF_ERROR(oci::ValidateTag(tag));
  STRATA_RETURN_IF_ERROR(InTransaction(core_.kv, Durability::kSynced, [&](Transaction& transaction) -> absl::Status {
    STRATA_ASSIGN_OR_RETURN(const auto manifest, LockManifest(transaction, repository, digest, LockMode::kShared));
    if (!manifest) {
      return absl::NotFoundError(absl::StrCat("repository \"", repository, "\" has no manifest ", digest.ToString()));
    }
    STRATA_ASSIGN_OR_RETURN(const std::optional<TagRow> before, LockTag(transaction, repository, tag));
    STRATA_RETURN_IF_ERROR(condition.Check(repository, tag, TargetOf(before)));
    return PointTag(core_, transaction, repository, tag, before, TagChange::kSet, digest);
  }));
  core_.AtCommitPoint("tag.set");
  return absl::OkStatus();
}

absl::StatusOr<Digest> Tags::Delete(absl::string_view repository, absl::string_view tag, const TagCondition& condition) {
  STRATA_RETURN_IF_ERROR(CheckRepository(repository));
  Digest digest;
  STRATA_RETURN_IF_ERROR(InTransaction(core_.kv, Durability::kSynced, [&](Transaction& transaction) -> absl::Status {
    STRATA_ASSIGN_OR_RETURN(const std::optional<TagRow> row, LockTag(transaction, repository, tag));
    if (!row) return NoSuchTag(repository, tag);
    STRATA_RETURN_IF_ERROR(condition.Check(repository, tag, row->digest));
    digest = row->digest;
    return RemoveTag(core_, transaction, repository, tag, *row, TagChange::kDelete);
  }));
  core_.AtCommitPoint("tag.deleted");
  return digest;
}

absl::StatusOr<blobstore::Page<blobstore::TagHistoryEntry>> Tags::ListHistory(absl::string_view repository, absl::string_view tag,
                                                                              uint64_t before, int limit) {
  STRATA_RETURN_IF_ERROR(CheckRepository(repository));
  STRATA_RETURN_IF_ERROR(oci::ValidateTag(tag));
  STRATA_ASSIGN_OR_RETURN(const size_t page_size, PageSize(limit));
  blobstore::Page<blobstore::TagHistoryEntry> page;
  STRATA_ASSIGN_OR_RETURN(page.items, ReadTagHistory(core_.kv, repository, tag, before, page_size, &page.has_more));
  if (!page.items.empty() || before != 0) return page;
  // A tag that did not move since histories are kept; one that did has a history, newest entry included.
  STRATA_ASSIGN_OR_RETURN(const std::optional<TagRow> row, FindTag(core_.kv, repository, tag));
  if (!row) return NoSuchTag(repository, tag);
  page.items.push_back({1, TagChange::kBeforeHistory, row->digest, row->updated});
  return page;
}

}  // namespace strata::store
