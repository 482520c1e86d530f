#include "lib/blobstore/retention.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"

namespace strata::blobstore {

namespace {

constexpr absl::Duration kShortest = absl::Minutes(1);
constexpr absl::Duration kLongest = absl::Hours(24 * 366 * 100);

absl::Status CheckAge(absl::string_view field, absl::Duration age) {
  if (age == absl::ZeroDuration() || (age >= kShortest && age <= kLongest)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(field, " is ", absl::FormatDuration(age), "; 1m to 100 years are taken"));
}

absl::Status CheckKind(const RetentionRule& rule) {
  const bool keeps = rule.keep_last > 0 || rule.keep_younger > absl::ZeroDuration();
  const bool removes_untagged = rule.remove_untagged_after > absl::ZeroDuration();
  if (rule.protect && (keeps || removes_untagged)) {
    return absl::InvalidArgumentError("it protects, so keep_last, keep_younger and remove_untagged_after mean nothing; leave them out");
  }
  if (rule.protect) return absl::OkStatus();
  if (keeps && removes_untagged) {
    return absl::InvalidArgumentError("keep_last and keep_younger are about tags, remove_untagged_after about manifests without; make two rules");
  }
  if (keeps && rule.tags.empty()) return absl::InvalidArgumentError("keep_last and keep_younger need a pattern of tags, \"*\" for all");
  if (removes_untagged && !rule.tags.empty()) {
    return absl::InvalidArgumentError("remove_untagged_after is about manifests without tags; leave the pattern of tags out");
  }
  if (keeps || removes_untagged) return absl::OkStatus();
  return absl::InvalidArgumentError("it says neither protect, keep_last, keep_younger nor remove_untagged_after");
}

absl::Status CheckFields(const RetentionRule& rule) {
  if (rule.repositories.empty()) return absl::InvalidArgumentError("it needs a pattern of repositories, \"**\" for all");
  for (const std::string* pattern : {&rule.repositories, &rule.tags}) {
    if (pattern->size() <= kMaxRetentionPatternBytes) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("a pattern of ", pattern->size(), " bytes; at most ", kMaxRetentionPatternBytes, " are taken"));
  }
  if (rule.keep_last < 0 || rule.keep_last > kMaxKeepLast) {
    return absl::InvalidArgumentError(absl::StrCat("keep_last is ", rule.keep_last, "; 0 to ", kMaxKeepLast, " are taken"));
  }
  STRATA_RETURN_IF_ERROR(CheckAge("keep_younger", rule.keep_younger));
  STRATA_RETURN_IF_ERROR(CheckAge("remove_untagged_after", rule.remove_untagged_after));
  return CheckKind(rule);
}

struct Globs {
  glob::Pattern repositories;
  glob::Pattern tags;
};

absl::StatusOr<Globs> CheckAndCompile(const RetentionRule& rule) {
  STRATA_RETURN_IF_ERROR(CheckFields(rule));
  Globs globs;
  STRATA_ASSIGN_OR_RETURN(globs.repositories, glob::Pattern::Compile(rule.repositories, glob::Syntax::kDoubleStar));
  STRATA_ASSIGN_OR_RETURN(globs.tags, glob::Pattern::Compile(rule.tags));
  return globs;
}

std::string NameOf(size_t number, const RetentionRule& rule) {
  return absl::StrCat("retention rule ", number + 1, " (repositories \"", absl::CHexEscape(rule.repositories.substr(0, 80)), "\", tags \"",
                      absl::CHexEscape(rule.tags.substr(0, 80)), "\")");
}

}  // namespace

absl::Status CheckRetentionRule(const RetentionRule& rule) { return CheckAndCompile(rule).status(); }

absl::StatusOr<RetentionPolicy> RetentionPolicy::Compile(std::vector<RetentionRule> rules) {
  if (rules.size() > kMaxRetentionRules) {
    return absl::InvalidArgumentError(absl::StrCat(rules.size(), " retention rules; at most ", kMaxRetentionRules, " are taken"));
  }
  RetentionPolicy policy;
  for (size_t i = 0; i < rules.size(); ++i) {
    const std::string name = NameOf(i, rules[i]);
    absl::StatusOr<Globs> globs = CheckAndCompile(rules[i]);
    if (!globs.ok()) return Annotate(globs.status(), name);
    policy.patterns_.push_back({std::move(globs->repositories), std::move(globs->tags)});
  }
  policy.rules_ = std::move(rules);
  return policy;
}

bool RetentionPolicy::Concerns(absl::string_view repository) const {
  if (absl::StartsWith(repository, "_")) return false;
  for (size_t i = 0; i < rules_.size(); ++i) {
    if (!rules_[i].protect && patterns_[i].repositories.Matches(repository)) return true;
  }
  return false;
}

std::optional<size_t> RetentionPolicy::RuleForTag(absl::string_view repository, absl::string_view tag) const {
  std::optional<size_t> first;
  for (size_t i = 0; i < rules_.size(); ++i) {
    if (rules_[i].tags.empty() || (first && !rules_[i].protect)) continue;
    if (!patterns_[i].repositories.Matches(repository) || !patterns_[i].tags.Matches(tag)) continue;
    if (rules_[i].protect) return std::nullopt;
    first = i;
  }
  return first;
}

std::optional<size_t> RetentionPolicy::RuleForUntagged(absl::string_view repository) const {
  std::optional<size_t> first;
  for (size_t i = 0; i < rules_.size(); ++i) {
    if (!rules_[i].tags.empty() || (first && !rules_[i].protect)) continue;
    if (!patterns_[i].repositories.Matches(repository)) continue;
    if (rules_[i].protect) return std::nullopt;
    first = i;
  }
  return first;
}

}  // namespace strata::blobstore
