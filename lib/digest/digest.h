// A content digest: which algorithm, and the bytes it produced.
// Spec: OCI image-spec, descriptor.md, "Digests".
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace strata {

enum class DigestAlgorithm { kSha256, kSha512 };

// "sha256" or "sha512".
absl::string_view AlgorithmName(DigestAlgorithm algorithm);
// kInvalidArgument: any other name.
absl::StatusOr<DigestAlgorithm> ParseAlgorithm(absl::string_view name);

// Value type; thread-compatible. Default-constructed it is empty: compare with `is_empty()`, never store it.
class Digest {
 public:
  Digest() = default;

  // Parses "sha256:<64 lowercase hex>" or "sha512:<128 lowercase hex>".
  // kInvalidArgument: anything else; the message quotes at most 80 bytes of `text`.
  static absl::StatusOr<Digest> Parse(absl::string_view text);

  // The digest of `data`.
  static Digest Of(absl::string_view data, DigestAlgorithm algorithm = DigestAlgorithm::kSha256);

  bool is_empty() const { return text_.empty(); }
  DigestAlgorithm algorithm() const;
  absl::string_view hex() const;                       // lowercase, without the algorithm
  const std::string& ToString() const { return text_; }  // canonical text, the inverse of Parse()

  bool operator==(const Digest&) const = default;
  auto operator<=>(const Digest&) const = default;
  template <typename H>
  friend H AbslHashValue(H state, const Digest& digest) {
    return H::combine(std::move(state), digest.text_);
  }

 private:
  friend class Hasher;
  explicit Digest(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

}  // namespace strata
