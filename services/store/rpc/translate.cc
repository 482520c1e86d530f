#include "services/store/rpc/translate.h"

#include "absl/strings/str_cat.h"
#include "lib/base/status.h"

namespace strata::store {

namespace {

constexpr int kMaxDigests = 10000;

}  // namespace

absl::StatusOr<std::vector<Digest>> ParseDigests(const TextList& texts) {
  if (texts.size() > kMaxDigests) {
    return absl::InvalidArgumentError(absl::StrCat(texts.size(), " digests in one call; at most ", kMaxDigests, " are taken"));
  }
  std::vector<Digest> digests;
  digests.reserve(static_cast<size_t>(texts.size()));
  for (const std::string& text : texts) {
    STRATA_ASSIGN_OR_RETURN(Digest digest, Digest::Parse(text));
    digests.push_back(std::move(digest));
  }
  return digests;
}

absl::StatusOr<uint64_t> ParseSize(absl::string_view field, int64_t value) {
  if (value < 0) return absl::InvalidArgumentError(absl::StrCat(field, " is ", value, ", below zero"));
  return static_cast<uint64_t>(value);
}

absl::StatusOr<std::optional<uint64_t>> ParseUploadOffset(int64_t value) {
  if (value == -1) return std::nullopt;
  return ParseSize("offset_bytes", value);
}

}  // namespace strata::store
