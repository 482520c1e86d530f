#include "lib/digest/digest.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/digest/hasher.h"

namespace strata {

absl::string_view AlgorithmName(DigestAlgorithm algorithm) {
  return algorithm == DigestAlgorithm::kSha256 ? "sha256" : "sha512";
}

absl::StatusOr<DigestAlgorithm> ParseAlgorithm(absl::string_view name) {
  if (name == "sha256") return DigestAlgorithm::kSha256;
  if (name == "sha512") return DigestAlgorithm::kSha512;
  return absl::InvalidArgumentError(
      absl::StrCat("digest algorithm \"", name.substr(0, 80), "\" is not supported; use sha256 or sha512"));
}

absl::StatusOr<Digest> Digest::Parse(absl::string_view text) {
  size_t hex_size = 0;
  if (absl::StartsWith(text, "sha256:")) hex_size = 64;
  if (absl::StartsWith(text, "sha512:")) hex_size = 128;
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (hex_size == 0 || text.size() != 7 + hex_size || !std::all_of(text.begin() + 7, text.end(), is_hex)) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text.substr(0, 80), "\" is not a digest; want sha256:<64 hex> or sha512:<128 hex>"));
  }
  return Digest(std::string(text));
}

Digest Digest::Of(absl::string_view data, DigestAlgorithm algorithm) {
  Hasher hasher(algorithm);
  hasher.Update(data);
  return hasher.Finish();
}

DigestAlgorithm Digest::algorithm() const {
  return absl::StartsWith(text_, "sha512:") ? DigestAlgorithm::kSha512 : DigestAlgorithm::kSha256;
}

absl::string_view Digest::hex() const { return absl::string_view(text_).substr(std::min<size_t>(7, text_.size())); }

}  // namespace strata
