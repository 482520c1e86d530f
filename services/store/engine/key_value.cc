#include "services/store/engine/key_value.h"

#include <algorithm>

#include "absl/strings/cord.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "lib/base/status.h"

namespace strata::store {

namespace {

constexpr char kConflictPayload[] = "strata.store/conflict";
constexpr int kAttempts = 10;

absl::Status RunOnce(KeyValueStore& store, Durability durability, const std::function<absl::Status(Transaction&)>& body) {
  const std::unique_ptr<Transaction> transaction = store.Begin();
  STRATA_RETURN_IF_ERROR(body(*transaction));
  STRATA_RETURN_IF_ERROR(transaction->Commit(durability));
  transaction->TellCommitted();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<int64_t> CounterIn(Reader& reader, absl::string_view key) {
  STRATA_ASSIGN_OR_RETURN(const std::optional<std::string> row, reader.Get(Table::kFacts, key));
  if (!row) return 0;
  if (row->size() != 8) return absl::DataLossError("metadata is damaged: a counter has a bad size");
  uint64_t bits = 0;
  for (int i = 0; i < 8; ++i) bits |= static_cast<uint64_t>(static_cast<unsigned char>((*row)[i])) << (8 * i);
  return static_cast<int64_t>(bits);
}

TransactionListener* Transaction::FindListener(const void* owner) const {
  for (const auto& [who, listener] : listeners_) {
    if (who == owner) return listener.get();
  }
  return nullptr;
}

void Transaction::TellCommitted() {
  for (const auto& [who, listener] : listeners_) listener->Committed();
}

bool IsConflict(const absl::Status& status) { return !status.ok() && status.GetPayload(kConflictPayload).has_value(); }

absl::Status ConflictError(absl::string_view message) {
  absl::Status status = absl::AbortedError(message);
  status.SetPayload(kConflictPayload, absl::Cord("1"));
  return status;
}

absl::Status InTransaction(KeyValueStore& store, Durability durability,
                           const std::function<absl::Status(Transaction&)>& body) {
  absl::Status status;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (attempt > 0) absl::SleepFor(absl::Milliseconds(1 << std::min(attempt, 6)));
    status = RunOnce(store, durability, body);
    if (!IsConflict(status)) return status;
  }
  return absl::AbortedError("other changes to the same content were in the way; try again");
}

}  // namespace strata::store
