#include "services/store/engine/repository_table.h"

#include <optional>
#include <string>

#include "absl/strings/match.h"
#include "lib/base/status.h"
#include "services/store/engine/blob_table.h"
#include "services/store/engine/keyspace.h"
#include "services/store/engine/record.h"

namespace strata::store {

namespace {

// Reserved names are no repositories of users.
void Count(Transaction& transaction, absl::string_view repository, int64_t delta) {
  if (!absl::StartsWith(repository, "_")) transaction.Add(keys::Counter(keys::Count::kRepositories), delta);
}

}  // namespace

absl::Status EnterRepository(const Core& core, Transaction& transaction, absl::string_view repository) {
  const std::string key = keys::Repository(repository);
  STRATA_ASSIGN_OR_RETURN(const std::optional<std::string> seen, transaction.Get(Table::kFacts, key));
  STRATA_ASSIGN_OR_RETURN(
      const std::optional<std::string> row,
      transaction.GetForUpdate(Table::kFacts, key, seen ? LockMode::kShared : LockMode::kExclusive));
  if (row) return absl::OkStatus();
  if (seen) return ConflictError("the repository was removed at this moment");
  Count(transaction, repository, 1);
  return transaction.Put(Table::kFacts, key, RecordWriter().U8(1).Time(core.clock.Now()).Take());
}

absl::Status ReviewRepository(const Core& core, Transaction& transaction, absl::string_view repository, bool due_now) {
  keys::Review review;
  review.kind = keys::Review::Kind::kRepository;
  review.repository = std::string(repository);
  review.due = due_now ? core.clock.Now() : GraceEnd(core);
  return transaction.Put(Table::kFacts, keys::ReviewKey(review), "");
}

absl::Status ForgetRepositoryIfEmpty(Transaction& transaction, absl::string_view repository) {
  STRATA_ASSIGN_OR_RETURN(
      const std::optional<std::string> row,
      transaction.GetForUpdate(Table::kFacts, keys::Repository(repository), LockMode::kExclusive));
  STRATA_ASSIGN_OR_RETURN(const bool has_manifests, HasRows(transaction, keys::Manifests(repository)));
  STRATA_ASSIGN_OR_RETURN(const bool has_links, HasRows(transaction, keys::Links(repository)));
  if (!row || has_manifests || has_links) return absl::OkStatus();
  Count(transaction, repository, -1);
  return transaction.Delete(Table::kFacts, keys::Repository(repository));
}

}  // namespace strata::store
