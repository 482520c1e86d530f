// OpenSSL 3.0 marks the low-level functions deprecated; they are present, accelerated, and alone in exposing their state.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "lib/digest/hasher.h"

#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace strata {

namespace {

// State layout: one byte version, one byte algorithm, 8 bytes count (little endian), the context as OpenSSL keeps it.
constexpr char kStateVersion = 1;
constexpr size_t kStateHeaderBytes = 10;

}  // namespace

Hasher::Hasher(DigestAlgorithm algorithm) : algorithm_(algorithm) {
  if (algorithm == DigestAlgorithm::kSha256) {
    SHA256_Init(&context_.emplace<SHA256_CTX>());
  } else {
    SHA512_Init(&context_.emplace<SHA512_CTX>());
  }
}

void Hasher::Update(absl::string_view data) {
  if (auto* sha256 = std::get_if<SHA256_CTX>(&context_)) {
    SHA256_Update(sha256, data.data(), data.size());
  } else {
    SHA512_Update(&std::get<SHA512_CTX>(context_), data.data(), data.size());
  }
  bytes_hashed_ += data.size();
}

Digest Hasher::Finish() const {
  unsigned char out[SHA512_DIGEST_LENGTH];
  size_t size = 0;
  if (const auto* sha256 = std::get_if<SHA256_CTX>(&context_)) {
    SHA256_CTX copy = *sha256;
    SHA256_Final(out, &copy);
    size = SHA256_DIGEST_LENGTH;
  } else {
    SHA512_CTX copy = std::get<SHA512_CTX>(context_);
    SHA512_Final(out, &copy);
    size = SHA512_DIGEST_LENGTH;
  }
  return Digest(absl::StrCat(AlgorithmName(algorithm_), ":",
                             absl::BytesToHexString(absl::string_view(reinterpret_cast<char*>(out), size))));
}

std::string Hasher::SaveState() const {
  std::string state;
  state.push_back(kStateVersion);
  state.push_back(algorithm_ == DigestAlgorithm::kSha256 ? 0 : 1);
  state.append(reinterpret_cast<const char*>(&bytes_hashed_), sizeof(bytes_hashed_));
  std::visit([&state](const auto& context) { state.append(reinterpret_cast<const char*>(&context), sizeof(context)); },
             context_);
  return state;
}

absl::StatusOr<Hasher> Hasher::Restore(absl::string_view state) {
  if (state.size() < kStateHeaderBytes || state[0] != kStateVersion || (state[1] != 0 && state[1] != 1)) {
    return absl::DataLossError("saved hash state is damaged or of another version");
  }
  Hasher hasher(state[1] == 0 ? DigestAlgorithm::kSha256 : DigestAlgorithm::kSha512);
  std::memcpy(&hasher.bytes_hashed_, state.data() + 2, sizeof(hasher.bytes_hashed_));
  const absl::string_view raw = state.substr(kStateHeaderBytes);
  bool fits = false;
  std::visit(
      [&](auto& context) {
        fits = raw.size() == sizeof(context);
        if (fits) std::memcpy(&context, raw.data(), sizeof(context));
      },
      hasher.context_);
  if (!fits) return absl::DataLossError("saved hash state has the wrong size");
  return hasher;
}

}  // namespace strata
