#include "lib/blobstore/retention_proto.h"

#include <algorithm>

namespace strata::blobstore {

namespace {

bool IsAscii(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

void SetDuration(absl::Duration from, google::protobuf::Duration* to) { to->set_seconds(absl::ToInt64Seconds(from)); }

absl::Duration ToDuration(const google::protobuf::Duration& from) {
  return absl::Seconds(from.seconds()) + absl::Nanoseconds(from.nanos());
}

}  // namespace

absl::Status ToProto(const std::vector<RetentionRule>& rules, RetentionRuleList* list) {
  for (const RetentionRule& from : rules) {
    if (!IsAscii(from.repositories) || !IsAscii(from.tags)) {
      return absl::InvalidArgumentError("a pattern of a retention rule is not ASCII; no repository or tag could match it");
    }
    store::v1::RetentionRule& rule = *list->Add();
    rule.set_repositories(from.repositories);
    rule.set_tags(from.tags);
    rule.set_protect(from.protect);
    rule.set_keep_last(from.keep_last);
    if (from.keep_younger != absl::ZeroDuration()) SetDuration(from.keep_younger, rule.mutable_keep_younger());
    if (from.remove_untagged_after != absl::ZeroDuration()) SetDuration(from.remove_untagged_after, rule.mutable_remove_untagged_after());
  }
  return absl::OkStatus();
}

std::vector<RetentionRule> FromProto(const RetentionRuleList& list) {
  std::vector<RetentionRule> rules;
  for (const store::v1::RetentionRule& from : list) {
    RetentionRule& rule = rules.emplace_back();
    rule.repositories = from.repositories();
    rule.tags = from.tags();
    rule.protect = from.protect();
    rule.keep_last = from.keep_last();
    rule.keep_younger = ToDuration(from.keep_younger());
    rule.remove_untagged_after = ToDuration(from.remove_untagged_after());
  }
  return rules;
}

}  // namespace strata::blobstore
