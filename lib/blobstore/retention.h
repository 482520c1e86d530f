// Retention: which tags and untagged manifests a store may remove by itself. proto/strata/store/v1/retention.proto is the same on the
// wire; docs/operations/retention.md explains it to operators.
//
// Without rules nothing is removed. How rules decide, in this order:
//   1. A tag that a protect rule matches stays.
//   2. Else the first rule with a `tags` pattern that matches repository and tag decides alone: the tag stays when it is among the
//      `keep_last` newest of the tags that this rule decides in this repository, or was updated within `keep_younger`; else it goes.
//   3. A tag that no rule matches stays.
//   4. A manifest without tags that no index names and that refers to no living subject goes by the first rule with
//      `remove_untagged_after` that matches the repository, once it has been so for that long and for the grace period of the store.
// A tag is newer when it was updated later; of tags updated at the same moment the one whose name is greater in byte order. A tag
// that goes takes its manifest along after the grace period unless something else names that. Reserved repositories have no rules.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "lib/base/call_context.h"
#include "lib/digest/digest.h"
#include "lib/glob/glob.h"

namespace strata::blobstore {

constexpr size_t kMaxRetentionRules = 100;
constexpr size_t kMaxRetentionPatternBytes = 256;
constexpr int64_t kMaxKeepLast = 10'000;

// Of one of three kinds: it protects, or it keeps some tags and lets the others go, or it lets untagged manifests go.
struct RetentionRule {
  std::string repositories;               // glob of lib/glob with "**": "team/*", "**"
  std::string tags;                       // glob; empty in a rule about untagged manifests
  bool protect = false;                   // what matches stays
  int64_t keep_last = 0;                  // 0: this does not keep anything
  absl::Duration keep_younger;            // 0: this does not keep anything
  absl::Duration remove_untagged_after;

  bool operator==(const RetentionRule&) const = default;
};

// kInvalidArgument, saying what is wrong, unless the rule can be one of a policy.
absl::Status CheckRetentionRule(const RetentionRule& rule);

// Rules that were checked, ready to decide. Value type; thread-compatible.
class RetentionPolicy {
 public:
  RetentionPolicy() = default;
  // kInvalidArgument, naming the rule by its number from 1 and what is wrong with it.
  static absl::StatusOr<RetentionPolicy> Compile(std::vector<RetentionRule> rules);

  const std::vector<RetentionRule>& rules() const { return rules_; }
  // Whether anything in the repository may go at all.
  bool Concerns(absl::string_view repository) const;
  // Number, from 0, of the rule that decides about the tag; absent: it stays.
  std::optional<size_t> RuleForTag(absl::string_view repository, absl::string_view tag) const;
  // The same about untagged manifests.
  std::optional<size_t> RuleForUntagged(absl::string_view repository) const;

 private:
  struct Patterns {
    glob::Pattern repositories;
    glob::Pattern tags;
  };
  std::vector<RetentionRule> rules_;
  std::vector<Patterns> patterns_;  // by rule
};

struct RetentionRunOptions {
  bool dry_run = false;
  std::optional<std::vector<RetentionRule>> rules;  // a dry run of these instead of the stored ones
  std::string repository;                           // only this one; empty: all
  int limit = 0;                                    // of `removed`; 0: 1000, at most 10000
};

struct RetentionReport {
  struct Item {
    std::string repository;
    std::string tag;  // empty: an untagged manifest
    Digest digest;
    size_t rule = 0;  // its number, from 0
  };
  std::vector<Item> removed;       // the first ones
  bool has_more = false;
  int64_t tags_removed = 0;
  int64_t manifests_removed = 0;   // untagged ones; in a dry run those too that follow their tags after the grace period
  // Of a dry run: what these manifests name and nothing else in the store does, at least. Collection frees it after the grace period.
  int64_t blobs_freed = 0;
  int64_t bytes_freed = 0;
  int64_t tags_examined = 0;
  int64_t manifests_examined = 0;
};

class RetentionStore {
 public:
  virtual ~RetentionStore() = default;
  virtual absl::StatusOr<std::vector<RetentionRule>> GetRetentionRules(const CallContext& context) = 0;
  // Replaces all. kInvalidArgument: see RetentionPolicy::Compile.
  virtual absl::Status SetRetentionRules(const CallContext& context, const std::vector<RetentionRule>& rules) = 0;
  // Applies the rules now; the store does so by itself every hour. kInvalidArgument: rules without dry_run, or bad ones.
  // kCancelled and kDeadlineExceeded: what was removed until then stays removed.
  virtual absl::StatusOr<RetentionReport> ApplyRetention(const CallContext& context, const RetentionRunOptions& options) = 0;
};

}  // namespace strata::blobstore
