#include "services/store/engine/listings.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "services/store/engine/keyspace.h"
#include "services/store/engine/record.h"
#include "services/store/engine/rows.h"

namespace strata::store {

namespace {

using blobstore::Page;

constexpr int kDefaultLimit = 1000;
constexpr int kMaxLimit = 10000;

// Fills a page with the rows behind `prefix` and after `start`; `read` makes an item of a row, or says that it is left out.
template <typename T>
absl::StatusOr<Page<T>> ReadPage(KeyValueStore& kv, absl::string_view prefix, absl::string_view start, int limit,
                                 const std::function<absl::StatusOr<std::optional<T>>(const Cursor&)>& read) {
  STRATA_ASSIGN_OR_RETURN(const size_t page_size, PageSize(limit));
  Page<T> page;
  const std::unique_ptr<Cursor> cursor = kv.Scan(Table::kFacts, prefix, start);
  for (; cursor->valid(); cursor->Next()) {
    STRATA_ASSIGN_OR_RETURN(std::optional<T> item, read(*cursor));
    if (!item) continue;
    if (page.items.size() == page_size) {
      page.has_more = true;
      break;
    }
    page.items.push_back(*std::move(item));
  }
  STRATA_RETURN_IF_ERROR(cursor->status());
  return page;
}

absl::StatusOr<std::string> StartBehindDigest(absl::string_view prefix, absl::string_view last) {
  if (last.empty()) return std::string(prefix);
  STRATA_ASSIGN_OR_RETURN(const Digest digest, Digest::Parse(last));
  return keys::After(absl::StrCat(prefix, EncodeDigest(digest)));
}

std::string StartBehindText(absl::string_view prefix, absl::string_view last) {
  return last.empty() ? std::string(prefix) : keys::After(absl::StrCat(prefix, last));
}

}  // namespace

absl::StatusOr<size_t> PageSize(int limit) {
  if (limit < 0) return absl::InvalidArgumentError(absl::StrCat("page limit ", limit, " is negative"));
  return static_cast<size_t>(limit == 0 ? kDefaultLimit : std::min(limit, kMaxLimit));
}

absl::Status Listings::RequireRepository(absl::string_view repository) {
  STRATA_RETURN_IF_ERROR(CheckRepository(repository));
  STRATA_ASSIGN_OR_RETURN(const std::optional<std::string> row, core_.kv.Get(Table::kFacts, keys::Repository(repository)));
  if (row) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat("repository \"", repository, "\" is unknown"));
}

absl::StatusOr<Page<blobstore::TagEntry>> Listings::ListTags(absl::string_view repository, absl::string_view last, int limit) {
  STRATA_RETURN_IF_ERROR(RequireRepository(repository));
  const std::string prefix = keys::Tags(repository);
  return ReadPage<blobstore::TagEntry>(
      core_.kv, prefix, StartBehindText(prefix, last), limit,
      [&](const Cursor& cursor) -> absl::StatusOr<std::optional<blobstore::TagEntry>> {
        STRATA_ASSIGN_OR_RETURN(TagRow row, TagRow::Decode(cursor.value()));
        return blobstore::TagEntry{keys::TextBehind(prefix, cursor.key()), std::move(row.digest), row.updated};
      });
}

absl::StatusOr<Page<std::string>> Listings::ListRepositories(absl::string_view last, int limit) {
  const std::string prefix = keys::Repositories();
  return ReadPage<std::string>(core_.kv, prefix, StartBehindText(prefix, last), limit,
                               [&](const Cursor& cursor) -> absl::StatusOr<std::optional<std::string>> {
                                 std::string name = keys::TextBehind(prefix, cursor.key());
                                 if (name.empty() || name[0] == '_') return std::optional<std::string>();
                                 return std::optional<std::string>(std::move(name));
                               });
}

absl::StatusOr<Page<blobstore::ManifestEntry>> Listings::ListManifests(absl::string_view repository, absl::string_view last,
                                                                       int limit) {
  STRATA_RETURN_IF_ERROR(RequireRepository(repository));
  const std::string prefix = keys::Manifests(repository);
  STRATA_ASSIGN_OR_RETURN(const std::string start, StartBehindDigest(prefix, last));
  return ReadPage<blobstore::ManifestEntry>(
      core_.kv, prefix, start, limit, [&](const Cursor& cursor) -> absl::StatusOr<std::optional<blobstore::ManifestEntry>> {
        STRATA_ASSIGN_OR_RETURN(ManifestRow row, ManifestRow::Decode(cursor.value()));
        STRATA_ASSIGN_OR_RETURN(Digest digest, keys::DigestBehind(prefix, cursor.key()));
        return blobstore::ManifestEntry{std::move(digest), std::move(row.media_type), row.size_bytes, row.pushed};
      });
}

absl::StatusOr<Page<blobstore::Referrer>> Listings::ListReferrers(absl::string_view repository, const Digest& subject,
                                                                  absl::string_view artifact_type, absl::string_view last,
                                                                  int limit) {
  STRATA_RETURN_IF_ERROR(CheckRepository(repository));
  const std::string prefix = keys::Referrers(repository, subject);
  STRATA_ASSIGN_OR_RETURN(const std::string start, StartBehindDigest(prefix, last));
  return ReadPage<blobstore::Referrer>(
      core_.kv, prefix, start, limit, [&](const Cursor& cursor) -> absl::StatusOr<std::optional<blobstore::Referrer>> {
        STRATA_ASSIGN_OR_RETURN(ReferrerRow row, ReferrerRow::Decode(cursor.value()));
        if (!artifact_type.empty() && row.artifact_type != artifact_type) return std::optional<blobstore::Referrer>();
        STRATA_ASSIGN_OR_RETURN(Digest digest, keys::DigestBehind(prefix, cursor.key()));
        return blobstore::Referrer{std::move(digest), std::move(row.media_type), row.size_bytes, std::move(row.artifact_type),
                                   std::move(row.annotations)};
      });
}

}  // namespace strata::store
