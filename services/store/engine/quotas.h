// Quotas of repository prefixes: what is used, counted exactly, and the decision whether more fits. lib/blobstore/quota_store.h.
//
// A quota is a row and two counters, which change in the transaction that changes what they count. The same figures are kept in memory,
// where the decision is made: a transaction holds what it is going to add until it has ended, an upload what it has received until it
// ends. So nobody waits for anybody's sync, and what is used and held together never passes the limit. Nothing is looked up, locked or
// counted for repositories without a quota.
//
// A new quota, while pushes go on:
//   1. no new change is let in, until those under way have ended: the time of a commit
//   2. from now on changes count themselves in the counters; a snapshot is taken; changes go on
//   3. what the snapshot holds is counted and added to the counters, in the transaction that records the quota
// Dying before 3 ends leaves no quota; counters it left are removed by the next one of that prefix.
//
// Thread-safe. SetQuota and Delete block for their transactions; the rest does not block but for step 1, and then gives up with a conflict.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/base/mutex.h"
#include "lib/blobstore/quota_store.h"
#include "services/store/engine/key_value.h"

namespace strata::store {

class Quotas {
 public:
  // `kv` outlives this object, and this object every transaction.
  explicit Quotas(KeyValueStore& kv) : kv_(kv) {}

  // Call once before anything else.
  absl::Status Load();

  absl::StatusOr<blobstore::Quota> Set(absl::string_view prefix, const blobstore::QuotaLimits& limits);
  absl::Status Delete(absl::string_view prefix);
  std::vector<blobstore::Quota> List();

  // Whether a quota applies to the repository. Stays so until the transaction has ended: whoever changes what a repository holds asks
  // first, and calls Charge() when it does. A conflict: a quota is being made at this moment.
  absl::StatusOr<bool> Watches(Transaction& transaction, absl::string_view repository);
  // The transaction adds so much to what the repository holds, or takes it away. kResourceExhausted, saying of which quota: it does not fit.
  absl::Status Charge(Transaction& transaction, absl::string_view repository, int64_t bytes, int64_t manifests);
  // The upload becomes content in this transaction: what it holds does not count against it.
  absl::Status Spend(Transaction& transaction, absl::string_view upload_id);

  // kResourceExhausted: not a byte more fits.
  absl::Status CheckNotFull(absl::string_view repository);
  // The upload holds at least so many bytes in all. kResourceExhausted, and nothing changed: they do not fit.
  absl::Status Reserve(absl::string_view repository, absl::string_view upload_id, uint64_t bytes);
  // The upload holds this, whatever the limit.
  void SetReserved(absl::string_view repository, absl::string_view upload_id, uint64_t bytes);
  // SetReserved(0) once `transaction`, which ends the upload, is committed.
  void ReleaseLater(Transaction& transaction, absl::string_view repository, absl::string_view upload_id);

  // Refusals since the store was opened.
  int64_t refusals() const { return refusals_.load(std::memory_order_relaxed); }

 private:
  struct Rule;
  class Changes;
  class Release;
  using RulePtr = std::shared_ptr<Rule>;  // also of the transactions that charged it

  absl::StatusOr<Changes*> Enter(Transaction& transaction);
  std::vector<RulePtr> RulesOf(absl::string_view repository) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckRoom(const Rule& rule, int64_t own_bytes, int64_t bytes, int64_t manifests) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  blobstore::Quota Describe(const Rule& rule) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // No transaction that changes what repositories hold is under way until OpenGate().
  void CloseGate();
  void OpenGate();
  absl::StatusOr<blobstore::Quota> Make(absl::string_view prefix, const blobstore::QuotaLimits& limits);
  // Adds what `rows` hold under the prefix.
  static absl::Status Count(Reader& rows, const std::string& prefix, int64_t* bytes, int64_t* manifests);
  static absl::Status CountRepositories(Reader& rows, const std::string& name_prefix, int64_t* bytes, int64_t* manifests);

  KeyValueStore& kv_;
  std::atomic<int64_t> refusals_{0};
  Mutex set_mutex_;  // one change of the quotas at a time
  Mutex mutex_;
  CondVar changed_;
  int under_way_ ABSL_GUARDED_BY(mutex_) = 0;  // transactions that have entered
  bool is_closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, RulePtr> rules_ ABSL_GUARDED_BY(mutex_);  // by prefix; their content is guarded too
};

}  // namespace strata::store
