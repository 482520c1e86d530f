#include "services/store/engine/manifest_table.h"

#include "lib/base/status.h"
#include "services/store/engine/keyspace.h"
#include "services/store/engine/tag_history.h"

namespace strata::store {

namespace {

template <typename Row>
absl::StatusOr<std::optional<Row>> Decode(const absl::StatusOr<std::optional<std::string>>& bytes) {
  if (!bytes.ok()) return bytes.status();
  if (!*bytes) return std::optional<Row>();
  STRATA_ASSIGN_OR_RETURN(Row row, Row::Decode(**bytes));
  return std::optional<Row>(std::move(row));
}

// The tag points to the manifest no longer.
absl::Status LeaveManifest(const Core& core, Transaction& transaction, absl::string_view repository, absl::string_view tag,
                           const Digest& digest) {
  UntaggedRow row;
  row.since = core.clock.Now();
  STRATA_RETURN_IF_ERROR(transaction.Put(Table::kFacts, keys::Untagged(repository, digest), row.Encode()));
  return transaction.Delete(Table::kFacts, keys::TagOfManifest(repository, digest, tag));
}

}  // namespace

absl::StatusOr<std::optional<ManifestRow>> FindManifest(Reader& reader, absl::string_view repository, const Digest& digest) {
  return Decode<ManifestRow>(reader.Get(Table::kFacts, keys::Manifest(repository, digest)));
}

absl::StatusOr<std::optional<ManifestRow>> LockManifest(Transaction& transaction, absl::string_view repository,
                                                        const Digest& digest, LockMode mode) {
  return Decode<ManifestRow>(transaction.GetForUpdate(Table::kFacts, keys::Manifest(repository, digest), mode));
}

absl::Status CountManifest(const Core& core, Transaction& transaction, absl::string_view repository, uint64_t size_bytes, int sign) {
  transaction.Add(keys::Counter(keys::Count::kManifests), sign);
  STRATA_ASSIGN_OR_RETURN(const bool is_watched, core.quotas.Watches(transaction, repository));
  if (!is_watched) return absl::OkStatus();
  return core.quotas.Charge(transaction, repository, sign * static_cast<int64_t>(size_bytes), sign);
}

absl::StatusOr<std::optional<TagRow>> FindTag(Reader& reader, absl::string_view repository, absl::string_view tag) {
  return Decode<TagRow>(reader.Get(Table::kFacts, keys::Tag(repository, tag)));
}

absl::StatusOr<std::optional<TagRow>> LockTag(Transaction& transaction, absl::string_view repository, absl::string_view tag) {
  return Decode<TagRow>(transaction.GetForUpdate(Table::kFacts, keys::Tag(repository, tag), LockMode::kExclusive));
}

absl::Status PointTag(const Core& core, Transaction& transaction, absl::string_view repository, absl::string_view tag,
                      const std::optional<TagRow>& before, blobstore::TagChange change, const Digest& digest) {
  STRATA_RETURN_IF_ERROR(RecordTagChange(core, transaction, repository, tag, before, change, digest));
  if (!before) transaction.Add(keys::Counter(keys::Count::kTags), 1);
  if (before && before->digest != digest) {
    STRATA_RETURN_IF_ERROR(LeaveManifest(core, transaction, repository, tag, before->digest));
  }
  TagRow row;
  row.digest = digest;
  row.updated = core.clock.Now();
  STRATA_RETURN_IF_ERROR(transaction.Put(Table::kFacts, keys::TagOfManifest(repository, digest, tag), ""));
  return transaction.Put(Table::kFacts, keys::Tag(repository, tag), row.Encode());
}

absl::Status RemoveTag(const Core& core, Transaction& transaction, absl::string_view repository, absl::string_view tag,
                       const TagRow& row, blobstore::TagChange change) {
  STRATA_RETURN_IF_ERROR(RecordTagChange(core, transaction, repository, tag, row, change, std::nullopt));
  transaction.Add(keys::Counter(keys::Count::kTags), -1);
  STRATA_RETURN_IF_ERROR(LeaveManifest(core, transaction, repository, tag, row.digest));
  return transaction.Delete(Table::kFacts, keys::Tag(repository, tag));
}

}  // namespace strata::store
