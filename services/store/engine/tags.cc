#include "services/store/engine/tags.h"

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/oci/reference.h"
#include "services/store/engine/keyspace.h"
#include "services/store/engine/manifest_table.h"

namespace strata::store {

absl::Status Tags::Set(absl::string_view repository, absl::string_view tag, const Digest& digest,
                       const std::optional<Digest>& expected) {
  STRATA_RETURN_IF_ERROR(CheckRepository(repository));
  STRATA_RETURN_IF_ERROR(oci::ValidateTag(tag));
  return InTransaction(core_.kv, Durability::kSynced, [&](Transaction& transaction) -> absl::Status {
    STRATA_ASSIGN_OR_RETURN(const auto manifest, LockManifest(transaction, repository, digest, LockMode::kShared));
    if (!manifest) {
      return absl::NotFoundError(absl::StrCat("repository \"", repository, "\" has no manifest ", digest.ToString()));
    }
    STRATA_ASSIGN_OR_RETURN(const std::optional<TagRow> before, LockTag(transaction, repository, tag));
    if (expected && (!before || before->digest != *expected)) {
      return absl::AbortedError(absl::StrCat("tag \"", tag, "\" of repository \"", repository, "\" points to ",
                                             before ? before->digest.ToString() : "nothing", ", not to ", expected->ToString(),
                                             "; read it again"));
    }
    return PointTag(core_, transaction, repository, tag, before, digest);
  });
}

absl::StatusOr<Digest> Tags::Delete(absl::string_view repository, absl::string_view tag) {
  STRATA_RETURN_IF_ERROR(CheckRepository(repository));
  Digest digest;
  STRATA_RETURN_IF_ERROR(InTransaction(core_.kv, Durability::kSynced, [&](Transaction& transaction) -> absl::Status {
    STRATA_ASSIGN_OR_RETURN(const std::optional<TagRow> row, LockTag(transaction, repository, tag));
    if (!row) {
      return absl::NotFoundError(absl::StrCat("repository \"", repository, "\" has no tag \"", tag.substr(0, 128), "\""));
    }
    digest = row->digest;
    return RemoveTagRows(transaction, repository, tag, *row);
  }));
  return digest;
}

}  // namespace strata::store
