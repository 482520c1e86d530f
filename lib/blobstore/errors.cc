#include "lib/blobstore/errors.h"

#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace strata::blobstore {

namespace {

constexpr char kExhaustedPayload[] = "strata.store/exhausted";
constexpr char kOffsetPayload[] = "strata.store/held-offset";

}  // namespace

absl::Status ExhaustedError(Exhausted what, absl::string_view message) {
  absl::Status status = absl::ResourceExhaustedError(message);
  const char mark = static_cast<char>(what);
  status.SetPayload(kExhaustedPayload, absl::Cord(absl::string_view(&mark, 1)));
  return status;
}

Exhausted WhatIsExhausted(const absl::Status& status) {
  const auto payload = status.GetPayload(kExhaustedPayload);
  if (!payload || payload->size() != 1) return Exhausted::kUnknown;
  switch ((*payload)[0]) {
    case static_cast<char>(Exhausted::kDisk): return Exhausted::kDisk;
    case static_cast<char>(Exhausted::kQuota): return Exhausted::kQuota;
    case static_cast<char>(Exhausted::kUploads): return Exhausted::kUploads;
    default: return Exhausted::kUnknown;
  }
}

absl::Status WrongOffsetError(uint64_t held_bytes, absl::string_view message) {
  absl::Status status = absl::OutOfRangeError(message);
  status.SetPayload(kOffsetPayload, absl::Cord(absl::StrCat(held_bytes)));
  return status;
}

std::optional<uint64_t> HeldOffset(const absl::Status& status) {
  const auto payload = status.GetPayload(kOffsetPayload);
  uint64_t held = 0;
  if (!payload || payload->size() > 20 || !absl::SimpleAtoi(std::string(*payload), &held)) return std::nullopt;
  return held;
}

}  // namespace strata::blobstore
