#include "services/store/engine/quotas.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/blobstore/errors.h"
#include "lib/oci/reference.h"
#include "services/store/engine/keyspace.h"
#include "services/store/engine/rows.h"

namespace strata::store {

namespace {

constexpr absl::Duration kWaitForGate = absl::Milliseconds(50);
constexpr size_t kMaxQuotas = 10'000;

absl::Status CheckArguments(absl::string_view prefix, const blobstore::QuotaLimits& limits) {
  if (!prefix.empty()) STRATA_RETURN_IF_ERROR(oci::ValidateRepository(prefix));
  if (limits.bytes < 0 || limits.manifests < 0) return absl::InvalidArgumentError("a quota below 0");
  if (limits.bytes > 0 || limits.manifests > 0) return absl::OkStatus();
  return absl::InvalidArgumentError("a quota without a limit; name bytes or manifests, or delete the quota");
}

std::string Quoted(absl::string_view prefix) {
  return prefix.empty() ? std::string("of the whole store") : absl::StrCat("of \"", prefix, "\"");
}

}  // namespace

// Guarded by mutex_, but for what is constant.
struct Quotas::Rule {
  const std::string prefix;
  blobstore::QuotaLimits limits = {};
  bool is_counting = false;  // not complete: nothing is refused yet
  int64_t used_bytes = 0;
  int64_t used_manifests = 0;
  int64_t added_bytes = 0;      // by transactions that have not ended
  int64_t added_manifests = 0;
  int64_t reserved_bytes = 0;   // the sum of uploads
  absl::flat_hash_map<std::string, int64_t> uploads = {};  // by upload id

  int64_t Reserved(absl::string_view upload_id) const {
    const auto found = uploads.find(upload_id);
    return found == uploads.end() ? 0 : found->second;
  }
  void SetReserved(absl::string_view upload_id, int64_t bytes) {
    reserved_bytes += bytes - Reserved(upload_id);
    if (bytes == 0) {
      uploads.erase(upload_id);
    } else {
      uploads[upload_id] = bytes;
    }
  }
};

// What one transaction does to the quotas.
class Quotas::Changes final : public TransactionListener {
 public:
  explicit Changes(Quotas& owner) : owner_(owner) {}

  ~Changes() override {
    MutexLock lock(owner_.mutex_);
    for (Charged& charged : charged_) {
      Rule& rule = *charged.rule;
      if (charged.bytes > 0) rule.added_bytes -= charged.bytes;
      if (charged.manifests > 0) rule.added_manifests -= charged.manifests;
      if (is_committed_) {
        rule.used_bytes += charged.bytes;
        rule.used_manifests += charged.manifests;
      } else if (charged.spent > 0) {
        rule.SetReserved(upload_id_, charged.spent);
      }
    }
    if (--owner_.under_way_ == 0) owner_.changed_.SignalAll();
  }
  void Committed() override { is_committed_ = true; }

  void Spend(absl::string_view upload_id) { upload_id_ = std::string(upload_id); }
  const std::string& upload_id() const { return upload_id_; }

  // The owner's mutex is held.
  void Add(RulePtr rule, int64_t bytes, int64_t manifests) {
    Charged charged{std::move(rule), bytes, manifests, 0};
    if (bytes > 0) charged.rule->added_bytes += bytes;
    if (manifests > 0) charged.rule->added_manifests += manifests;
    if (!upload_id_.empty()) {
      charged.spent = charged.rule->Reserved(upload_id_);
      charged.rule->SetReserved(upload_id_, 0);
    }
    charged_.push_back(std::move(charged));
  }

 private:
  struct Charged {
    RulePtr rule;
    int64_t bytes;
    int64_t manifests;
    int64_t spent;  // what the upload held there
  };
  Quotas& owner_;
  std::string upload_id_;
  std::vector<Charged> charged_;
  bool is_committed_ = false;
};

class Quotas::Release final : public TransactionListener {
 public:
  Release(Quotas& owner, absl::string_view repository, absl::string_view upload_id)
      : owner_(owner), repository_(repository), upload_id_(upload_id) {}
  void Committed() override { owner_.SetReserved(repository_, upload_id_, 0); }

 private:
  Quotas& owner_;
  const std::string repository_;
  const std::string upload_id_;
};

absl::Status Quotas::Load() {
  const std::string prefix = keys::QuotaRules();
  MutexLock lock(mutex_);
  const std::unique_ptr<Cursor> cursor = kv_.Scan(Table::kFacts, prefix);
  for (; cursor->valid(); cursor->Next()) {
    STRATA_ASSIGN_OR_RETURN(const QuotaRow row, QuotaRow::Decode(cursor->value()));
    auto rule = std::make_shared<Rule>(Rule{.prefix = keys::TextBehind(prefix, cursor->key())});
    rule->limits = {static_cast<int64_t>(row.max_bytes), static_cast<int64_t>(row.max_manifests)};
    STRATA_ASSIGN_OR_RETURN(rule->used_bytes, kv_.ReadCounter(keys::QuotaBytes(rule->prefix)));
    STRATA_ASSIGN_OR_RETURN(rule->used_manifests, kv_.ReadCounter(keys::QuotaManifests(rule->prefix)));
    rules_[rule->prefix] = std::move(rule);
  }
  return cursor->status();
}

std::vector<Quotas::RulePtr> Quotas::RulesOf(absl::string_view repository) {
  std::vector<RulePtr> rules;
  if (rules_.empty() || repository.empty() || repository[0] == '_') return rules;
  const auto add = [&](absl::string_view prefix) {
    const auto found = rules_.find(std::string(prefix));
    if (found != rules_.end()) rules.push_back(found->second);
  };
  add("");
  for (size_t slash = repository.find('/'); slash != absl::string_view::npos; slash = repository.find('/', slash + 1)) {
    add(repository.substr(0, slash));
  }
  add(repository);
  return rules;
}

absl::StatusOr<Quotas::Changes*> Quotas::Enter(Transaction& transaction) {
  if (TransactionListener* const entered = transaction.FindListener(this)) return static_cast<Changes*>(entered);
  {
    MutexLock lock(mutex_);
    if (is_closed_) changed_.WaitFor(mutex_, kWaitForGate);
    if (is_closed_) return ConflictError("a quota is being made at this moment");
    ++under_way_;
  }
  auto changes = std::make_unique<Changes>(*this);
  Changes* const borrowed = changes.get();
  transaction.AddListener(this, std::move(changes));
  return borrowed;
}

absl::StatusOr<bool> Quotas::Watches(Transaction& transaction, absl::string_view repository) {
  STRATA_RETURN_IF_ERROR(Enter(transaction).status());
  MutexLock lock(mutex_);
  return !RulesOf(repository).empty();
}

absl::Status Quotas::Spend(Transaction& transaction, absl::string_view upload_id) {
  STRATA_ASSIGN_OR_RETURN(Changes* const changes, Enter(transaction));
  changes->Spend(upload_id);
  return absl::OkStatus();
}

absl::Status Quotas::CheckRoom(const Rule& rule, int64_t own_bytes, int64_t bytes, int64_t manifests) {
  if (rule.is_counting) return absl::OkStatus();
  const int64_t held = rule.used_bytes + rule.added_bytes + rule.reserved_bytes - own_bytes;
  if (bytes > 0 && rule.limits.bytes > 0 && held + bytes > rule.limits.bytes) {
    refusals_.fetch_add(1, std::memory_order_relaxed);
    return blobstore::ExhaustedError(
        blobstore::Exhausted::kQuota,
        absl::StrCat("the quota ", Quoted(rule.prefix), " is ", rule.limits.bytes, " bytes, of which ", held,
                     " are used or being uploaded; ", bytes, " more do not fit. Delete images there, or have the quota raised"));
  }
  if (manifests > 0 && rule.limits.manifests > 0 && rule.used_manifests + rule.added_manifests + manifests > rule.limits.manifests) {
    refusals_.fetch_add(1, std::memory_order_relaxed);
    return blobstore::ExhaustedError(
        blobstore::Exhausted::kQuota,
        absl::StrCat("the quota ", Quoted(rule.prefix), " is ", rule.limits.manifests, " manifests, of which ",
                     rule.used_manifests + rule.added_manifests, " are used. Delete images there, or have the quota raised"));
  }
  return absl::OkStatus();
}

absl::Status Quotas::Charge(Transaction& transaction, absl::string_view repository, int64_t bytes, int64_t manifests) {
  STRATA_ASSIGN_OR_RETURN(Changes* const changes, Enter(transaction));
  MutexLock lock(mutex_);
  for (RulePtr& rule : RulesOf(repository)) {
    const int64_t own = changes->upload_id().empty() ? 0 : rule->Reserved(changes->upload_id());
    STRATA_RETURN_IF_ERROR(CheckRoom(*rule, own, bytes, manifests));
    transaction.Add(keys::QuotaBytes(rule->prefix), bytes);
    transaction.Add(keys::QuotaManifests(rule->prefix), manifests);
    changes->Add(std::move(rule), bytes, manifests);
  }
  return absl::OkStatus();
}

absl::Status Quotas::CheckNotFull(absl::string_view repository) {
  MutexLock lock(mutex_);
  for (const RulePtr& rule : RulesOf(repository)) STRATA_RETURN_IF_ERROR(CheckRoom(*rule, 0, 1, 0));
  return absl::OkStatus();
}

absl::Status Quotas::Reserve(absl::string_view repository, absl::string_view upload_id, uint64_t bytes) {
  const int64_t wanted = static_cast<int64_t>(std::min<uint64_t>(bytes, INT64_MAX / 2));
  MutexLock lock(mutex_);
  const std::vector<RulePtr> rules = RulesOf(repository);
  for (const RulePtr& rule : rules) {
    const int64_t own = rule->Reserved(upload_id);
    if (wanted > own) STRATA_RETURN_IF_ERROR(CheckRoom(*rule, own, wanted, 0));
  }
  for (const RulePtr& rule : rules) {
    if (wanted > rule->Reserved(upload_id)) rule->SetReserved(upload_id, wanted);
  }
  return absl::OkStatus();
}

void Quotas::SetReserved(absl::string_view repository, absl::string_view upload_id, uint64_t bytes) {
  MutexLock lock(mutex_);
  for (const RulePtr& rule : RulesOf(repository)) rule->SetReserved(upload_id, static_cast<int64_t>(bytes));
}

void Quotas::ReleaseLater(Transaction& transaction, absl::string_view repository, absl::string_view upload_id) {
  transaction.AddListener(nullptr, std::make_unique<Release>(*this, repository, upload_id));
}

blobstore::Quota Quotas::Describe(const Rule& rule) {
  return {rule.prefix, rule.limits, rule.used_bytes, rule.used_manifests, rule.reserved_bytes};
}

std::vector<blobstore::Quota> Quotas::List() {
  MutexLock lock(mutex_);
  std::vector<blobstore::Quota> quotas;
  for (const auto& [prefix, rule] : rules_) {
    if (!rule->is_counting) quotas.push_back(Describe(*rule));
  }
  return quotas;
}

void Quotas::CloseGate() {
  MutexLock lock(mutex_);
  is_closed_ = true;
  while (under_way_ > 0) changed_.Wait(mutex_);
}

void Quotas::OpenGate() {
  MutexLock lock(mutex_);
  is_closed_ = false;
  changed_.SignalAll();
}

absl::StatusOr<blobstore::Quota> Quotas::Set(absl::string_view prefix, const blobstore::QuotaLimits& limits) {
  STRATA_RETURN_IF_ERROR(CheckArguments(prefix, limits));
  MutexLock set_lock(set_mutex_);
  {
    MutexLock lock(mutex_);
    if (rules_.size() >= kMaxQuotas) {
      return absl::ResourceExhaustedError(absl::StrCat("there are ", rules_.size(), " quotas, the most there may be; delete one first"));
    }
  }
  const QuotaRow row{static_cast<uint64_t>(limits.bytes), static_cast<uint64_t>(limits.manifests)};
  RulePtr known;
  {
    MutexLock lock(mutex_);
    const auto found = rules_.find(std::string(prefix));
    if (found != rules_.end()) known = found->second;
  }
  if (known == nullptr) return Make(prefix, limits);
  STRATA_RETURN_IF_ERROR(InTransaction(kv_, Durability::kSynced, [&](Transaction& transaction) {
    return transaction.Put(Table::kFacts, keys::QuotaRule(prefix), row.Encode());
  }));
  MutexLock lock(mutex_);
  known->limits = limits;
  return Describe(*known);
}

absl::StatusOr<blobstore::Quota> Quotas::Make(absl::string_view prefix, const blobstore::QuotaLimits& limits) {
  auto rule = std::make_shared<Rule>(Rule{.prefix = std::string(prefix)});
  rule->limits = limits;
  rule->is_counting = true;
  CloseGate();
  const absl::Status cleared = InTransaction(kv_, Durability::kBuffered, [&](Transaction& transaction) -> absl::Status {
    STRATA_RETURN_IF_ERROR(transaction.Delete(Table::kFacts, keys::QuotaBytes(prefix)));
    return transaction.Delete(Table::kFacts, keys::QuotaManifests(prefix));
  });
  std::unique_ptr<Reader> snapshot;
  if (cleared.ok()) {
    snapshot = kv_.Snapshot();
    MutexLock lock(mutex_);
    rules_[rule->prefix] = rule;
  }
  OpenGate();
  STRATA_RETURN_IF_ERROR(cleared);

  int64_t bytes = 0;
  int64_t manifests = 0;
  absl::Status made = Count(*snapshot, rule->prefix, &bytes, &manifests);
  snapshot.reset();
  if (made.ok()) {
    made = InTransaction(kv_, Durability::kSynced, [&](Transaction& transaction) {
      transaction.Add(keys::QuotaBytes(prefix), bytes);
      transaction.Add(keys::QuotaManifests(prefix), manifests);
      const QuotaRow row{static_cast<uint64_t>(limits.bytes), static_cast<uint64_t>(limits.manifests)};
      return transaction.Put(Table::kFacts, keys::QuotaRule(prefix), row.Encode());
    });
  }
  MutexLock lock(mutex_);
  if (!made.ok()) {
    rules_.erase(rule->prefix);
    return Annotate(made, absl::StrCat("making the quota ", Quoted(prefix)));
  }
  rule->used_bytes += bytes;
  rule->used_manifests += manifests;
  rule->is_counting = false;
  return Describe(*rule);
}

absl::Status Quotas::Delete(absl::string_view prefix) {
  MutexLock set_lock(set_mutex_);
  {
    MutexLock lock(mutex_);
    if (!rules_.contains(std::string(prefix))) return absl::NotFoundError(absl::StrCat("there is no quota ", Quoted(prefix)));
  }
  CloseGate();
  const absl::Status deleted = InTransaction(kv_, Durability::kSynced, [&](Transaction& transaction) -> absl::Status {
    STRATA_RETURN_IF_ERROR(transaction.Delete(Table::kFacts, keys::QuotaRule(prefix)));
    STRATA_RETURN_IF_ERROR(transaction.Delete(Table::kFacts, keys::QuotaBytes(prefix)));
    return transaction.Delete(Table::kFacts, keys::QuotaManifests(prefix));
  });
  if (deleted.ok()) {
    MutexLock lock(mutex_);
    rules_.erase(std::string(prefix));
  }
  OpenGate();
  return deleted;
}

absl::Status Quotas::Count(Reader& rows, const std::string& prefix, int64_t* bytes, int64_t* manifests) {
  if (prefix.empty()) return CountRepositories(rows, "", bytes, manifests);
  // The repository itself, whose name ends in a zero byte, and all below it.
  STRATA_RETURN_IF_ERROR(CountRepositories(rows, absl::StrCat(prefix, absl::string_view("\0", 1)), bytes, manifests));
  return CountRepositories(rows, absl::StrCat(prefix, "/"), bytes, manifests);
}

absl::Status Quotas::CountRepositories(Reader& rows, const std::string& name_prefix, int64_t* bytes, int64_t* manifests) {
  const std::unique_ptr<Cursor> links = rows.Scan(Table::kFacts, keys::LinksOfNames(name_prefix));
  for (; links->valid(); links->Next()) {
    STRATA_ASSIGN_OR_RETURN(const auto link, keys::ParseRepositoryAndDigest(links->key()));
    if (link.first.front() == '_') continue;
    STRATA_ASSIGN_OR_RETURN(const std::optional<std::string> row, rows.Get(Table::kFacts, keys::Blob(link.second)));
    if (!row) continue;
    STRATA_ASSIGN_OR_RETURN(const BlobRow blob, BlobRow::Decode(*row));
    *bytes += static_cast<int64_t>(blob.size_bytes);
  }
  STRATA_RETURN_IF_ERROR(links->status());
  const std::unique_ptr<Cursor> cursor = rows.Scan(Table::kFacts, keys::ManifestsOfNames(name_prefix));
  for (; cursor->valid(); cursor->Next()) {
    STRATA_ASSIGN_OR_RETURN(const auto key, keys::ParseRepositoryAndDigest(cursor->key()));
    if (key.first.front() == '_') continue;
    STRATA_ASSIGN_OR_RETURN(const ManifestRow row, ManifestRow::Decode(cursor->value()));
    *bytes += static_cast<int64_t>(row.size_bytes);
    *manifests += 1;
  }
  return cursor->status();
}

}  // namespace strata::store
