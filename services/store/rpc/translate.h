// What the services share in reading requests.
#pragma once

#include <google/protobuf/repeated_ptr_field.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/digest/digest.h"

namespace strata::store {

using TextList = google::protobuf::RepeatedPtrField<std::string>;

// kInvalidArgument: more than 10000, or one is no digest.
absl::StatusOr<std::vector<Digest>> ParseDigests(const TextList& texts);

// kInvalidArgument, naming the field: below zero.
absl::StatusOr<uint64_t> ParseSize(absl::string_view field, int64_t value);

// Header.offset_bytes: -1 is "wherever the session is".
absl::StatusOr<std::optional<uint64_t>> ParseUploadOffset(int64_t value);

}  // namespace strata::store
