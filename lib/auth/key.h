// Keys of JSON Web Signatures: ES256 (P-256), RS256 (RSA of at least 2048 bits) and EdDSA (Ed25519). Spec: RFC 7518, RFC 8037.
//
// A key knows its one algorithm: what a token's header says never chooses how its signature is checked.
// Value types that share the OpenSSL key, which never changes; thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

struct evp_pkey_st;

namespace strata::auth {

enum class SignatureAlgorithm { kEs256, kRs256, kEdDsa };

// "ES256", "RS256", "EdDSA": the header field alg.
absl::string_view AlgorithmName(SignatureAlgorithm algorithm);

class PublicKey {
 public:
  // A PEM "PUBLIC KEY". Its id is its thumbprint. kInvalidArgument: no PEM, another kind of key, or an RSA key that is too short.
  static absl::StatusOr<PublicKey> ParsePem(absl::string_view pem);
  // Big-endian coordinates of a point of P-256, 32 bytes each; modulus and exponent; the 32 bytes of Ed25519. `id` "" stands for
  // the thumbprint. kInvalidArgument: not on the curve, not a usable key.
  static absl::StatusOr<PublicKey> FromP256(absl::string_view x, absl::string_view y, std::string id);
  static absl::StatusOr<PublicKey> FromRsa(absl::string_view n, absl::string_view e, std::string id);
  static absl::StatusOr<PublicKey> FromEd25519(absl::string_view x, std::string id);

  SignatureAlgorithm algorithm() const { return algorithm_; }
  const std::string& id() const { return id_; }  // the header field kid

  // `signature` as in a JWS: for ES256 r and s, 32 bytes each.
  bool Verifies(absl::string_view message, absl::string_view signature) const;

  // The JWK with kid, alg and use, one line.
  std::string ToJwk() const;

 private:
  friend class SigningKey;
  // Checks the kind of key and its size.
  static absl::StatusOr<PublicKey> Wrap(std::shared_ptr<evp_pkey_st> key, std::string id);
  std::string RequiredMembers() const;  // of RFC 7638, in their order

  std::shared_ptr<evp_pkey_st> key_;
  SignatureAlgorithm algorithm_ = SignatureAlgorithm::kEs256;
  std::string id_;
};

class SigningKey {
 public:
  // An unencrypted PEM private key. kInvalidArgument as for PublicKey::ParsePem().
  static absl::StatusOr<SigningKey> ParsePem(absl::string_view pem);
  // kInternal: the library cannot.
  static absl::StatusOr<SigningKey> Generate(SignatureAlgorithm algorithm);

  const PublicKey& public_key() const { return public_; }
  absl::StatusOr<std::string> Sign(absl::string_view message) const;
  absl::StatusOr<std::string> ToPem() const;  // PKCS #8

 private:
  PublicKey public_;
};

// The keys that may have signed. At most one key an id.
using KeySet = std::vector<PublicKey>;
const PublicKey* FindKey(const KeySet& keys, absl::string_view id);

}  // namespace strata::auth
