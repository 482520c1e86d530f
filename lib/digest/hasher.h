// A running hash whose state can be saved and restored, so that an interrupted upload goes on without re-reading.
//
// Uses OpenSSL's low-level contexts: EVP cannot export its state in OpenSSL 3.0. Thread-compatible.
#pragma once

#include <openssl/sha.h>

#include <cstdint>
#include <string>
#include <variant>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "lib/digest/digest.h"

namespace strata {

class Hasher {
 public:
  explicit Hasher(DigestAlgorithm algorithm = DigestAlgorithm::kSha256);

  // Continues from what SaveState() returned. kDataLoss: not such a state, or one of another version.
  static absl::StatusOr<Hasher> Restore(absl::string_view state);

  void Update(absl::string_view data);
  // The digest of everything so far; the hasher may go on.
  Digest Finish() const;
  // Opaque and versioned; about 220 bytes.
  std::string SaveState() const;

  DigestAlgorithm algorithm() const { return algorithm_; }
  uint64_t bytes_hashed() const { return bytes_hashed_; }

 private:
  DigestAlgorithm algorithm_;
  uint64_t bytes_hashed_ = 0;
  std::variant<SHA256_CTX, SHA512_CTX> context_;
};

}  // namespace strata
