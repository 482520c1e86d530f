#include "services/store/gc/retention.h"

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/oci/reference.h"
#include "services/store/engine/blob_table.h"
#include "services/store/engine/keyspace.h"
#include "services/store/engine/manifest_removal.h"
#include "services/store/engine/manifest_table.h"
#include "services/store/engine/record.h"
#include "services/store/engine/tag_history.h"

namespace strata::store {

namespace {

using blobstore::RetentionPolicy;
using blobstore::RetentionReport;
using blobstore::RetentionRule;

constexpr uint8_t kRulesVersion = 1;
constexpr size_t kLeastRuleBytes = 33;
constexpr int kDefaultItems = 1000;
constexpr int kMaxItems = 10000;
// Of one repository, so that a dry run knows what follows its tags.
constexpr size_t kMaxPlanned = 500'000;

std::string EncodeRules(const std::vector<RetentionRule>& rules) {
  RecordWriter out;
  out.U8(kRulesVersion).U32(static_cast<uint32_t>(rules.size()));
  for (const RetentionRule& rule : rules) {
    out.Text(rule.repositories).Text(rule.tags).U8(rule.protect ? 1 : 0).U64(static_cast<uint64_t>(rule.keep_last));
    out.U64(static_cast<uint64_t>(absl::ToInt64Seconds(rule.keep_younger)));
    out.U64(static_cast<uint64_t>(absl::ToInt64Seconds(rule.remove_untagged_after)));
  }
  return out.Take();
}

absl::StatusOr<std::vector<RetentionRule>> DecodeRules(absl::string_view bytes) {
  RecordReader in(bytes);
  const uint8_t version = in.U8();
  std::vector<RetentionRule> rules(version == kRulesVersion ? in.Count(kLeastRuleBytes) : 0);
  for (RetentionRule& rule : rules) {
    rule.repositories = in.Text();
    rule.tags = in.Text();
    rule.protect = in.U8() != 0;
    rule.keep_last = static_cast<int64_t>(in.U64());
    rule.keep_younger = absl::Seconds(static_cast<int64_t>(in.U64()));
    rule.remove_untagged_after = absl::Seconds(static_cast<int64_t>(in.U64()));
  }
  STRATA_RETURN_IF_ERROR(in.Finish("the retention rules"));
  if (version != kRulesVersion) return absl::DataLossError("metadata is damaged: the retention rules have an unknown version");
  return rules;
}

// How new a tag is: the greater, the newer.
using Newness = std::pair<absl::Time, std::string>;

// The newest so many of what it is shown.
class Newest {
 public:
  explicit Newest(int64_t count) : count_(static_cast<size_t>(count)) {}
  void Show(Newness newness) {
    if (count_ == 0) return;
    oldest_first_.push(std::move(newness));
    if (oldest_first_.size() > count_) oldest_first_.pop();
  }
  bool Has(const Newness& newness) const { return !oldest_first_.empty() && newness >= oldest_first_.top(); }

 private:
  const size_t count_;
  std::priority_queue<Newness, std::vector<Newness>, std::greater<Newness>> oldest_first_;
};

// The rules applied to one repository.
class RepositoryRun {
 public:
  // All outlive this object.
  RepositoryRun(const Core& core, const RetentionPolicy& policy, std::string repository, bool dry_run, size_t limit,
                const Retention::Pace& pace, RetentionReport* report)
      : core_(core), policy_(policy), repository_(std::move(repository)), dry_run_(dry_run), limit_(limit), pace_(pace),
        report_(report), now_(core.clock.Now()) {}

  // False: the run is to end.
  absl::StatusOr<bool> Run() {
    STRATA_ASSIGN_OR_RETURN(bool goes_on, ForEachTag([&](const std::string& tag, const TagRow& row, size_t rule) {
      ++report_->tags_examined;
      newest_.try_emplace(rule, policy_.rules()[rule].keep_last).first->second.Show({row.updated, tag});
      return absl::OkStatus();
    }));
    if (!goes_on) return false;
    STRATA_ASSIGN_OR_RETURN(goes_on, ForEachTag([&](const std::string& tag, const TagRow& row, size_t rule) -> absl::Status {
      const bool is_young = row.updated + policy_.rules()[rule].keep_younger > now_;
      // A rule that the first look did not meet decides about tags that are newer than that look.
      const auto newest = newest_.find(rule);
      if (is_young || newest == newest_.end() || newest->second.Has({row.updated, tag})) return absl::OkStatus();
      return RemoveOneTag(tag, row, rule);
    }));
    if (!goes_on) return false;
    STRATA_ASSIGN_OR_RETURN(goes_on, RemoveUntagged());
    if (goes_on && dry_run_) STRATA_RETURN_IF_ERROR(CountWhatFollows());
    return goes_on;
  }

 private:
  using LookAtTag = std::function<absl::Status(const std::string& tag, const TagRow& row, size_t rule)>;

  absl::StatusOr<bool> ForEachTag(const LookAtTag& look) {
    const std::string prefix = keys::Tags(repository_);
    const std::unique_ptr<Cursor> cursor = core_.kv.Scan(Table::kFacts, prefix);
    for (; cursor->valid(); cursor->Next()) {
      const std::string tag = keys::TextBehind(prefix, cursor->key());
      const std::optional<size_t> rule = policy_.RuleForTag(repository_, tag);
      if (!rule) continue;
      STRATA_ASSIGN_OR_RETURN(const bool goes_on, pace_.goes_on());
      if (!goes_on) return false;
      STRATA_ASSIGN_OR_RETURN(const TagRow row, TagRow::Decode(cursor->value()));
      STRATA_RETURN_IF_ERROR(look(tag, row, *rule));
    }
    STRATA_RETURN_IF_ERROR(cursor->status());
    return true;
  }

  absl::Status RemoveOneTag(const std::string& tag, const TagRow& row, size_t rule) {
    const absl::Time began = absl::Now();
    bool has_gone = dry_run_;
    if (!dry_run_) {
      const absl::Status status = InTransaction(core_.kv, Durability::kSynced, [&](Transaction& transaction) -> absl::Status {
        STRATA_ASSIGN_OR_RETURN(const std::optional<TagRow> now, LockTag(transaction, repository_, tag));
        // Pushed, moved or deleted since it was read.
        has_gone = now && now->digest == row.digest && now->updated == row.updated;
        if (!has_gone) return absl::OkStatus();
        STRATA_RETURN_IF_ERROR(ReviewManifestLater(core_, transaction, repository_, row.digest));
        return RemoveTag(core_, transaction, repository_, tag, row, blobstore::TagChange::kRetention);
      });
      // A tag that is busy now is old enough at the next run too.
      if (absl::IsAborted(status)) return absl::OkStatus();
      STRATA_RETURN_IF_ERROR(status);
      core_.AtCommitPoint("retention.tag_removed");
    } else if (++tags_gone_[row.digest], tags_gone_.size() > kMaxPlanned) {
      return absl::ResourceExhaustedError(absl::StrCat("more than ", kMaxPlanned, " manifests of repository \"", repository_,
                                                       "\" are about to go, too many for a dry run; narrow the rules"));
    }
    if (!has_gone) return absl::OkStatus();
    ++report_->tags_removed;
    Tell(tag, row.digest, rule);
    pace_.rest(absl::Now() - began);
    return absl::OkStatus();
  }

  absl::StatusOr<bool> RemoveUntagged() {
    const std::optional<size_t> rule = policy_.RuleForUntagged(repository_);
    if (!rule) return true;
    const std::string prefix = keys::Manifests(repository_);
    const std::unique_ptr<Cursor> cursor = core_.kv.Scan(Table::kFacts, prefix);
    for (; cursor->valid(); cursor->Next()) {
      STRATA_ASSIGN_OR_RETURN(const bool goes_on, pace_.goes_on());
      if (!goes_on) return false;
      const absl::Time began = absl::Now();
      ++report_->manifests_examined;
      STRATA_ASSIGN_OR_RETURN(const Digest digest, keys::DigestBehind(prefix, cursor->key()));
      STRATA_ASSIGN_OR_RETURN(const ManifestRow row, ManifestRow::Decode(cursor->value()));
      STRATA_ASSIGN_OR_RETURN(const bool may_go, MayRemoveUntagged(core_.kv, digest, row, *rule));
      if (may_go) STRATA_RETURN_IF_ERROR(RemoveOneManifest(digest, *rule));
      pace_.rest(absl::Now() - began);
    }
    STRATA_RETURN_IF_ERROR(cursor->status());
    return true;
  }

  absl::StatusOr<bool> MayRemoveUntagged(Reader& reader, const Digest& digest, const ManifestRow& row, size_t rule) {
    const absl::Duration age = policy_.rules()[rule].remove_untagged_after;
    if (row.pushed + age > now_) return false;
    STRATA_ASSIGN_OR_RETURN(const std::optional<std::string> bytes, reader.Get(Table::kFacts, keys::Untagged(repository_, digest)));
    if (bytes) {
      STRATA_ASSIGN_OR_RETURN(const UntaggedRow untagged, UntaggedRow::Decode(*bytes));
      if (untagged.since + std::max(age, core_.options.grace) > now_) return false;
    }
    return MayCollectManifest(core_, reader, repository_, digest, row);
  }

  absl::Status RemoveOneManifest(const Digest& digest, size_t rule) {
    bool has_gone = dry_run_;
    if (!dry_run_) {
      const absl::Status status = InTransaction(core_.kv, Durability::kSynced, [&](Transaction& transaction) -> absl::Status {
        has_gone = false;
        STRATA_ASSIGN_OR_RETURN(const std::optional<ManifestRow> row,
                                LockManifest(transaction, repository_, digest, LockMode::kExclusive));
        if (!row) return absl::OkStatus();
        STRATA_ASSIGN_OR_RETURN(has_gone, MayRemoveUntagged(transaction, digest, *row, rule));
        if (!has_gone) return absl::OkStatus();
        std::vector<std::string> no_tags;
        return RemoveManifest(core_, transaction, repository_, digest, *row, &no_tags);
      });
      if (absl::IsAborted(status)) return absl::OkStatus();
      STRATA_RETURN_IF_ERROR(status);
      core_.AtCommitPoint("retention.manifest_removed");
    } else {
      manifests_gone_.insert(digest);
    }
    if (!has_gone) return absl::OkStatus();
    if (!dry_run_) ++report_->manifests_removed;
    Tell("", digest, rule);
    return absl::OkStatus();
  }

  void Tell(const std::string& tag, const Digest& digest, size_t rule) {
    report_->has_more = report_->removed.size() >= limit_;
    if (!report_->has_more) report_->removed.push_back({repository_, tag, digest, rule});
  }

  // Of a dry run: manifests whose last tags go, and the blobs of all that go.
  absl::Status CountWhatFollows() {
    for (const auto& [digest, count] : tags_gone_) {
      STRATA_ASSIGN_OR_RETURN(const std::optional<ManifestRow> row, FindManifest(core_.kv, repository_, digest));
      if (!row) continue;
      STRATA_ASSIGN_OR_RETURN(const bool has_others, HasMoreTagsThan(digest, count));
      STRATA_ASSIGN_OR_RETURN(const bool has_parent, HasRows(core_.kv, keys::EdgesTo(keys::Edge::kToChild, repository_, digest)));
      bool has_subject = false;
      if (row->subject) {
        STRATA_ASSIGN_OR_RETURN(const auto subject, FindManifest(core_.kv, repository_, *row->subject));
        has_subject = subject.has_value();
      }
      if (!has_others && !has_parent && !has_subject) manifests_gone_.insert(digest);
    }
    report_->manifests_removed += static_cast<int64_t>(manifests_gone_.size());
    std::set<Digest> blobs;
    for (const Digest& digest : manifests_gone_) {
      STRATA_RETURN_IF_ERROR(pace_.goes_on().status());
      STRATA_ASSIGN_OR_RETURN(const std::optional<ManifestRow> row, FindManifest(core_.kv, repository_, digest));
      for (const ManifestTarget& target : row ? row->targets : std::vector<ManifestTarget>()) {
        if (target.kind != ManifestTarget::Kind::kBlob || !blobs.insert(target.digest).second) continue;
        STRATA_RETURN_IF_ERROR(CountBlob(target.digest));
      }
    }
    return absl::OkStatus();
  }

  absl::StatusOr<bool> HasMoreTagsThan(const Digest& digest, int64_t count) {
    const std::unique_ptr<Cursor> cursor = core_.kv.Scan(Table::kFacts, keys::TagsOfManifest(repository_, digest));
    for (; cursor->valid() && count >= 0; cursor->Next()) --count;
    STRATA_RETURN_IF_ERROR(cursor->status());
    return count < 0;
  }

  absl::Status CountBlob(const Digest& digest) {
    const std::string edges = keys::EdgesTo(keys::Edge::kToBlob, repository_, digest);
    const std::unique_ptr<Cursor> edge = core_.kv.Scan(Table::kFacts, edges);
    for (; edge->valid(); edge->Next()) {
      STRATA_ASSIGN_OR_RETURN(const Digest manifest, keys::DigestBehind(edges, edge->key()));
      if (!manifests_gone_.contains(manifest)) return absl::OkStatus();
    }
    STRATA_RETURN_IF_ERROR(edge->status());
    const std::string links = keys::LinksOfBlob(digest);
    const std::unique_ptr<Cursor> link = core_.kv.Scan(Table::kFacts, links);
    for (; link->valid(); link->Next()) {
      if (keys::TextBehind(links, link->key()) != repository_) return absl::OkStatus();
    }
    STRATA_RETURN_IF_ERROR(link->status());
    STRATA_ASSIGN_OR_RETURN(const bool is_needed, HasRows(core_.kv, keys::CacheNeeds(digest)));
    STRATA_ASSIGN_OR_RETURN(const std::optional<BlobRow> blob, FindBlob(core_.kv, digest));
    if (is_needed || !blob) return absl::OkStatus();
    ++report_->blobs_freed;
    report_->bytes_freed += static_cast<int64_t>(blob->size_bytes);
    return absl::OkStatus();
  }

  const Core& core_;
  const RetentionPolicy& policy_;
  const std::string repository_;
  const bool dry_run_;
  const size_t limit_;
  const Retention::Pace& pace_;
  RetentionReport* const report_;
  const absl::Time now_;
  std::map<size_t, Newest> newest_;        // by rule
  std::map<Digest, int64_t> tags_gone_;    // of a dry run: how many tags of a manifest go
  std::set<Digest> manifests_gone_;        // of a dry run
};

// The first repository at or after `start` in the listing; absent: there is none.
absl::StatusOr<std::optional<std::string>> NextRepository(KeyValueStore& kv, const std::string& start) {
  const std::unique_ptr<Cursor> cursor = kv.Scan(Table::kFacts, keys::Repositories(), start);
  STRATA_RETURN_IF_ERROR(cursor->status());
  if (!cursor->valid()) return std::optional<std::string>();
  return std::optional(keys::TextBehind(keys::Repositories(), cursor->key()));
}

}  // namespace

absl::StatusOr<std::vector<RetentionRule>> Retention::Get() {
  STRATA_ASSIGN_OR_RETURN(const std::optional<std::string> bytes, core_.kv.Get(Table::kFacts, keys::RetentionRules()));
  if (!bytes) return std::vector<RetentionRule>();
  return DecodeRules(*bytes);
}

absl::Status Retention::Set(const std::vector<RetentionRule>& rules) {
  STRATA_RETURN_IF_ERROR(RetentionPolicy::Compile(rules).status());
  return InTransaction(core_.kv, Durability::kSynced, [&](Transaction& transaction) {
    return transaction.Put(Table::kFacts, keys::RetentionRules(), EncodeRules(rules));
  });
}

absl::StatusOr<RetentionReport> Retention::Apply(const blobstore::RetentionRunOptions& options, const Pace& pace) {
  if (options.rules && !options.dry_run) {
    return absl::InvalidArgumentError("rules are tried in a dry run only; set them, then apply them");
  }
  if (options.limit < 0) return absl::InvalidArgumentError(absl::StrCat("limit ", options.limit, " is negative"));
  const size_t limit = static_cast<size_t>(options.limit == 0 ? kDefaultItems : std::min(options.limit, kMaxItems));
  if (!options.repository.empty()) STRATA_RETURN_IF_ERROR(oci::ValidateRepository(options.repository));
  std::vector<RetentionRule> rules;
  if (options.rules) {
    rules = *options.rules;
  } else {
    STRATA_ASSIGN_OR_RETURN(rules, Get());
  }
  STRATA_ASSIGN_OR_RETURN(const RetentionPolicy policy, RetentionPolicy::Compile(std::move(rules)));
  RetentionReport report;
  std::string start = absl::StrCat(keys::Repositories(), options.repository);
  while (!policy.rules().empty()) {
    STRATA_ASSIGN_OR_RETURN(const std::optional<std::string> repository, NextRepository(core_.kv, start));
    const bool is_asked = repository && (options.repository.empty() || *repository == options.repository);
    if (!is_asked) break;
    STRATA_ASSIGN_OR_RETURN(bool goes_on, pace.goes_on());
    if (goes_on && policy.Concerns(*repository)) {
      RepositoryRun run(core_, policy, *repository, options.dry_run, limit, pace, &report);
      STRATA_ASSIGN_OR_RETURN(goes_on, run.Run());
    }
    if (!goes_on) break;
    start = keys::After(keys::Repository(*repository));
  }
  return report;
}

}  // namespace strata::store
