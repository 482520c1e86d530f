// Retention rules on the wire, for both ends of it.
#pragma once

#include <google/protobuf/repeated_ptr_field.h>

#include <vector>

#include "absl/status/status.h"
#include "lib/blobstore/retention.h"
#include "proto/strata/store/v1/retention.pb.h"

namespace strata::blobstore {

using RetentionRuleList = google::protobuf::RepeatedPtrField<store::v1::RetentionRule>;

// kInvalidArgument: a pattern is not ASCII, which no name matches and protobuf may refuse.
absl::Status ToProto(const std::vector<RetentionRule>& rules, RetentionRuleList* list);
// Not yet checked: RetentionPolicy::Compile does that.
std::vector<RetentionRule> FromProto(const RetentionRuleList& list);

}  // namespace strata::blobstore
